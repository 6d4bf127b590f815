"""Checks a running Mingcha with grpcio. What it knows of the service it learns from server reflection.

usage: check.py ADDRESS
"""

import sys

import grpc
from google.protobuf import descriptor_pool, json_format, message_factory
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

SERVICE = "mingcha.v1.ScreeningService"
DAY = "2026-01-01"
PROHIBITED = "鹏远金融（北京）有限公司"
PASSING = "海青网络科技有限公司"
DISGUISED = "Р·２·Р"  # Cyrillic, full width, middle dots
SECONDS = 20


class ReflectionV1(grpc.StreamStreamClientInterceptor):
    """Sends v1alpha calls to v1: the messages are the same, and grpcio-reflection offers v1alpha only."""

    def intercept_stream_stream(self, continuation, details, requests):
        method = details.method.replace("grpc.reflection.v1alpha.", "grpc.reflection.v1.")
        return continuation(details._replace(method=method), requests)


class Service:
    """The service as server reflection tells it."""

    def __init__(self, channel):
        self.channel = channel
        self.reflection = ProtoReflectionDescriptorDatabase(grpc.intercept_channel(channel, ReflectionV1()))
        self.pool = descriptor_pool.DescriptorPool(self.reflection)
        self.descriptor = self.pool.FindServiceByName(SERVICE)

    def path(self, method):
        return f"/{self.descriptor.full_name}/{method}"

    def call(self, method, fields):
        """Calls a method by name with fields by name; gives the answer as JSON."""
        described = self.descriptor.methods_by_name[method]
        request = message_factory.GetMessageClass(described.input_type)
        answer = message_factory.GetMessageClass(described.output_type)
        stub = self.channel.unary_unary(
            self.path(method), request_serializer=request.SerializeToString, response_deserializer=answer.FromString
        )
        message = json_format.ParseDict(fields, request(), descriptor_pool=self.pool)
        answered = stub(message, timeout=SECONDS)
        return json_format.MessageToDict(
            answered, preserving_proto_field_name=True, always_print_fields_with_no_presence=True, descriptor_pool=self.pool
        )

    def screen(self, **fields):
        return self.call("Screen", {"date": DAY, **fields})


def equal(what, got, wanted):
    assert got == wanted, f"{what} is {got!r}, not {wanted!r}"


def offsets(hit, text):
    """The offsets of a hit, in bytes and in scalars, both cut its text out of the whole text."""
    cut = text.encode()[hit["start_byte"] : hit["end_byte"]].decode()
    equal("the text between the byte offsets", cut, hit["text"])
    equal("the text between the char offsets", text[hit["start_char"] : hit["end_char"]], hit["text"])


def only(what, found):
    equal(f"the number of {what}", len(found), 1)
    return found[0]


def refused(call, field):
    """The call is refused with INVALID_ARGUMENT, and the BadRequest detail names the field."""
    try:
        call()
    except grpc.RpcError as error:
        equal("the code", error.code(), grpc.StatusCode.INVALID_ARGUMENT)
        assert error.details(), "the status has no message"
        detail = error_details_pb2.BadRequest()
        assert only("details", rpc_status.from_call(error).details).Unpack(detail), "the detail is no google.rpc.BadRequest"
        equal("the field", only("violations", detail.field_violations).field, field)
        assert detail.field_violations[0].description, "the violation has no description"
    else:
        raise AssertionError("the call was answered, not refused")


def reflection_lists_the_services(service):
    wanted = {SERVICE, "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}
    older = ProtoReflectionDescriptorDatabase(service.channel)
    # each version of the reflection service may know itself only
    listed = set(service.reflection.get_services()) | set(older.get_services())
    assert wanted <= listed, f"reflection lists {sorted(listed)}, and not {sorted(wanted - listed)}"
    name = service.descriptor.file.name
    assert service.reflection.FindFileByName(name) == older.FindFileByName(name), f"v1 and v1alpha differ on {name}"
    equal("the methods", sorted(service.descriptor.methods_by_name), ["BatchScreen", "Screen", "ScreenStream"])


def a_prohibited_name(service):
    answer = service.screen(name=PROHIBITED)
    equal("the decision", answer["decision"], "DECISION_PROHIBITED")
    hit = only("hits of 金融", [hit for hit in answer["hits"] if hit["term"] == "金融"])
    equal("the field", hit["field"], "FIELD_NAME")
    equal("the offsets", [hit[key] for key in ("start_byte", "end_byte", "start_char", "end_char")], [6, 12, 2, 4])
    offsets(hit, PROHIBITED)
    equal("the force", hit["force"], "FORCE_PROHIBIT")
    numbers = [basis["document_number"] for basis in hit["bases"]]
    assert "国务院令第737号" in numbers, f"the bases are {numbers}"
    equal("the day", answer["circumstances"]["date"], DAY)
    equal("the length of the lists hash", len(answer["lists_hash"]), 64)
    assert answer["inform"], "no body is told"


def a_name_that_passes(service):
    answer = service.screen(name=PASSING)
    equal("the decision", answer["decision"], "DECISION_PASS")
    equal("the hits", answer["hits"], [])


def a_disguised_term(service):
    scope = f"提供{DISGUISED}服务"
    answer = service.screen(name=PASSING, scope=scope)
    hit = only("hits of P2P", [hit for hit in answer["hits"] if hit["term"] == "P2P"])
    equal("the field", hit["field"], "FIELD_SCOPE")
    equal("the text", hit["text"], DISGUISED)
    equal("the offsets", [hit[key] for key in ("start_byte", "end_byte", "start_char", "end_char")], [6, 17, 2, 7])
    offsets(hit, scope)
    steps = [(step["kind"], step["span"]["text"], step["read_as"]) for step in hit["disguise"]]
    folded, skipped = "DISGUISE_KIND_FOLDED", "DISGUISE_KIND_SKIPPED"
    equal("the steps", steps, [(folded, "Р", "p"), (skipped, "·", ""), (folded, "２", "2"), (skipped, "·", ""), (folded, "Р", "p")])
    for step in hit["disguise"]:
        offsets(step["span"], scope)
        assert step["reason"], f"the step {step} has no reason"


def a_batch(service):
    firms = [{"name": PROHIBITED}, {"name": PASSING}, {"name": "青禾金融服务有限公司", "scope": "股权投资"}]
    batch = service.call("BatchScreen", {"requests": [{"date": DAY, **firm} for firm in firms]})
    responses, bases = batch["responses"], batch["bases"]
    equal("the number of answers", len(responses), len(firms))
    rules = [(basis["list"], basis["rule"]) for basis in bases]
    equal("the number of different bases", len(set(rules)), len(rules))
    used = set()
    for firm, response in zip(firms, responses):
        alone = service.screen(**firm)
        equal("the decision in a batch", response["decision"], alone["decision"])
        equal("the number of hits in a batch", len(response["hits"]), len(alone["hits"]))
        for hit, wanted in zip(response["hits"], alone["hits"]):
            equal("the bases written with a hit", hit["bases"], [])
            equal("the bases pointed at", [bases[index] for index in hit["basis_indexes"]], wanted["bases"])
            equal("the hit", {**hit, "basis_indexes": [], "bases": wanted["bases"]}, wanted)
            used.update(hit["basis_indexes"])
        for cleared in response["cleared"]:
            used.update(near["basis_index"] for near in cleared["near_misses"])
    equal("the bases that are used", used, set(range(len(bases))))
    first, last = responses[0]["hits"][0]["basis_indexes"], responses[2]["hits"][0]["basis_indexes"]
    equal("the bases of the same term", first, last)


def a_batch_too_large(service):
    firms = [{"name": PASSING}] * 1001
    refused(lambda: service.call("BatchScreen", {"requests": firms}), "requests")
    equal("the number of answers to 1000", len(service.call("BatchScreen", {"requests": firms[:1000]})["responses"]), 1000)


def a_bad_request_in_a_batch(service):
    refused(lambda: service.call("BatchScreen", {"requests": [{"name": PASSING}, {}]}), "requests[1].name")


def an_empty_name(service):
    refused(lambda: service.screen(name=""), "name")


def an_unknown_region(service):
    refused(lambda: service.screen(name=PASSING, region="桃花源"), "region")


def bad_utf8(service):
    stub = service.channel.unary_unary(service.path("Screen"))
    refused(lambda: stub(b"\x0a\x02\xff\xfe", timeout=SECONDS), "")


def health(service):
    stub = health_pb2_grpc.HealthStub(service.channel)
    for name in ("", SERVICE):
        request = health_pb2.HealthCheckRequest(service=name)
        equal(f"the health of {name!r}", stub.Check(request, timeout=SECONDS).status, health_pb2.HealthCheckResponse.SERVING)
        watch = stub.Watch(request, timeout=SECONDS)
        equal(f"the first health watched of {name!r}", next(watch).status, health_pb2.HealthCheckResponse.SERVING)
        watch.cancel()


CHECKS = [
    reflection_lists_the_services,
    a_prohibited_name,
    a_name_that_passes,
    a_disguised_term,
    a_batch,
    a_batch_too_large,
    a_bad_request_in_a_batch,
    an_empty_name,
    an_unknown_region,
    bad_utf8,
    health,
]


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    failed = 0
    with grpc.insecure_channel(sys.argv[1]) as channel:
        grpc.channel_ready_future(channel).result(timeout=SECONDS)
        service = Service(channel)
        for check in CHECKS:
            try:
                check(service)
                print(f"ok      {check.__name__}")
            except Exception as error:
                failed += 1
                print(f"FAILED  {check.__name__}: {error if isinstance(error, AssertionError) else repr(error)}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
