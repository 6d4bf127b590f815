// Checks a running Mingcha with @grpc/grpc-js. What it knows of the service it reads from proto/.
//
// usage: node check.mjs ADDRESS

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";
import protobuf from "protobufjs";

const { protoPath: healthProto } = createRequire(import.meta.url)("grpc-health-check");
const SERVICE = "mingcha.v1.ScreeningService";
const DAY = "2026-01-01";
const PROHIBITED = "鹏远金融（北京）有限公司";
const PASSING = "海青网络科技有限公司";
const DISGUISED = "Р·２·Р"; // Cyrillic, full width, middle dots
const SECONDS = 20;

function load(files, includeDirs) {
  const options = { keepCase: true, longs: Number, enums: String, defaults: true, arrays: true, includeDirs };
  return grpc.loadPackageDefinition(protoLoader.loadSync(files, options));
}

const proto = fileURLToPath(new URL("../../proto", import.meta.url));
const { ScreeningService } = load("mingcha/v1/screening.proto", [proto]).mingcha.v1;
const { Health } = load(healthProto).grpc.health.v1;

// google.rpc.Status and BadRequest, of which grpc-js gives the bytes only
const rpc = protobuf.parse(`
  syntax = "proto3";
  package google.rpc;
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }
  message BadRequest {
    message FieldViolation { string field = 1; string description = 2; }
    repeated FieldViolation field_violations = 1;
  }`, { keepCase: true }).root;

const deadline = () => ({ deadline: Date.now() + SECONDS * 1000 });

/** Calls a unary method; the promise fails with grpc-js' own error. */
function call(client, method, request) {
  return new Promise((resolve, reject) => {
    client[method](request, deadline(), (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

function screen(client, fields) {
  return call(client, "Screen", { date: DAY, ...fields });
}

/** The offsets of a hit, in bytes and in scalars, both cut its text out of the whole text. */
function offsets(hit, text) {
  assert.equal(Buffer.from(text).subarray(hit.start_byte, hit.end_byte).toString(), hit.text, "byte offsets");
  assert.equal([...text].slice(hit.start_char, hit.end_char).join(""), hit.text, "char offsets");
}

function where(hit) {
  return [hit.start_byte, hit.end_byte, hit.start_char, hit.end_char];
}

function only(what, found) {
  assert.equal(found.length, 1, `the number of ${what} is ${found.length}, not 1`);
  return found[0];
}

/** The call is refused with INVALID_ARGUMENT, and the BadRequest detail names the field. */
async function refused(answer, field) {
  const error = await answer.then(() => assert.fail("the call was answered, not refused"), (error) => error);
  if (error instanceof assert.AssertionError) throw error;
  assert.equal(error.code, grpc.status.INVALID_ARGUMENT, `the code is ${error.code}: ${error.details}`);
  assert.notEqual(error.details, "", "the status has no message");
  const encoded = only("grpc-status-details-bin", error.metadata.get("grpc-status-details-bin"));
  const status = rpc.lookupType("google.rpc.Status").decode(encoded);
  assert.equal(status.code, grpc.status.INVALID_ARGUMENT);
  const detail = only("details", status.details);
  assert.equal(detail.type_url, "type.googleapis.com/google.rpc.BadRequest");
  const violations = rpc.lookupType("google.rpc.BadRequest").decode(detail.value).field_violations;
  const violation = only("violations", violations);
  assert.equal(violation.field, field);
  assert.notEqual(violation.description, "", "the violation has no description");
}

const CHECKS = {
  async "a prohibited name"({ client }) {
    const answer = await screen(client, { name: PROHIBITED });
    assert.equal(answer.decision, "DECISION_PROHIBITED");
    const hit = only("hits of 金融", answer.hits.filter((hit) => hit.term === "金融"));
    assert.equal(hit.field, "FIELD_NAME");
    assert.deepEqual(where(hit), [6, 12, 2, 4]);
    offsets(hit, PROHIBITED);
    assert.equal(hit.force, "FORCE_PROHIBIT");
    const numbers = hit.bases.map((basis) => basis.document_number);
    assert(numbers.includes("国务院令第737号"), `the bases are ${numbers}`);
    assert.equal(answer.circumstances.date, DAY);
    assert.match(answer.lists_hash, /^[0-9a-f]{64}$/);
    assert.notEqual(answer.inform.length, 0, "no body is told");
  },

  async "a name that passes"({ client }) {
    const answer = await screen(client, { name: PASSING });
    assert.equal(answer.decision, "DECISION_PASS");
    assert.deepEqual(answer.hits, []);
  },

  async "a disguised term"({ client }) {
    const scope = `提供${DISGUISED}服务`;
    const answer = await screen(client, { name: PASSING, scope });
    const hit = only("hits of P2P", answer.hits.filter((hit) => hit.term === "P2P"));
    assert.equal(hit.field, "FIELD_SCOPE");
    assert.equal(hit.text, DISGUISED);
    assert.deepEqual(where(hit), [6, 17, 2, 7]);
    offsets(hit, scope);
    const [folded, skipped] = ["DISGUISE_KIND_FOLDED", "DISGUISE_KIND_SKIPPED"];
    const steps = hit.disguise.map((step) => [step.kind, step.span.text, step.read_as]);
    assert.deepEqual(steps, [[folded, "Р", "p"], [skipped, "·", ""], [folded, "２", "2"], [skipped, "·", ""], [folded, "Р", "p"]]);
    for (const step of hit.disguise) {
      offsets(step.span, scope);
      assert.notEqual(step.reason, "", "a step has no reason");
    }
  },

  async "a batch"({ client }) {
    const firms = [{ name: PROHIBITED }, { name: PASSING }, { name: "青禾金融服务有限公司", scope: "股权投资" }];
    const { responses, bases } = await call(client, "BatchScreen", { requests: firms.map((firm) => ({ date: DAY, ...firm })) });
    assert.equal(responses.length, firms.length);
    assert.equal(new Set(bases.map((basis) => `${basis.list} ${basis.rule}`)).size, bases.length, "a basis is written twice");
    for (const [index, response] of responses.entries()) {
      const alone = await screen(client, firms[index]);
      assert.equal(response.decision, alone.decision);
      assert.equal(response.hits.length, alone.hits.length);
      for (const [place, hit] of response.hits.entries()) {
        assert.deepEqual(hit.bases, [], "a basis is written with a hit");
        assert.deepEqual(hit.basis_indexes.map((basis) => bases[basis]), alone.hits[place].bases);
        assert.deepEqual({ ...hit, bases: alone.hits[place].bases, basis_indexes: [] }, alone.hits[place]);
      }
    }
    assert.deepEqual(responses[0].hits[0].basis_indexes, responses[2].hits[0].basis_indexes, "the same term has other bases");
  },

  async "a batch too large"({ client }) {
    const requests = Array(1001).fill({ name: PASSING });
    await refused(call(client, "BatchScreen", { requests }), "requests");
    const { responses } = await call(client, "BatchScreen", { requests: requests.slice(1) });
    assert.equal(responses.length, 1000);
  },

  async "a bad request in a batch"({ client }) {
    await refused(call(client, "BatchScreen", { requests: [{ name: PASSING }, {}] }), "requests[1].name");
  },

  async "an empty name"({ client }) {
    await refused(screen(client, { name: "" }), "name");
  },

  async "an unknown region"({ client }) {
    await refused(screen(client, { name: PASSING, region: "桃花源" }), "region");
  },

  async "bad UTF-8"({ client }) {
    const bytes = Buffer.from([0x0a, 0x02, 0xff, 0xfe]);
    const same = (buffer) => buffer;
    await refused(new Promise((resolve, reject) => {
      const done = (error, answer) => (error ? reject(error) : resolve(answer));
      client.makeUnaryRequest(`/${SERVICE}/Screen`, same, same, bytes, deadline(), done);
    }), "");
  },

  async "health"({ health }) {
    for (const service of ["", SERVICE]) {
      const { status } = await call(health, "Check", { service });
      assert.equal(status, "SERVING", `the health of '${service}'`);
      const first = await new Promise((resolve, reject) => {
        const watch = health.Watch({ service }, deadline());
        watch.on("error", reject); // also what the cancelling below gives, when nothing waits any more
        watch.once("data", (answer) => {
          resolve(answer);
          watch.cancel();
        });
      });
      assert.equal(first.status, "SERVING", `the first health watched of '${service}'`);
    }
  },
};

async function main(address) {
  const clients = [ScreeningService, Health].map((Client) => new Client(address, grpc.credentials.createInsecure()));
  const [client, health] = clients;
  for (const [name, check] of Object.entries(CHECKS)) {
    try {
      await check({ client, health });
      console.log(`ok      ${name}`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`FAILED  ${name}: ${error.message}`);
    }
  }
  clients.forEach((one) => one.close());
}

if (process.argv.length !== 3) {
  console.error("usage: node check.mjs ADDRESS");
  process.exit(2);
}
await main(process.argv[2]);
