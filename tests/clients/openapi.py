"""Checks the OpenAPI document of a running Mingcha with a validator, and Mingcha's answers by the document.

usage: openapi.py ADDRESS OFFICE

OFFICE is the address of a Mingcha with a data folder in which nothing was recorded yet, and a register firms.csv.
"""

import json
import sys
import time
import urllib.error
import urllib.request

import openapi_spec_validator
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

SECONDS = 20
RICH = {
    "name": "鹏远Р·２·Р金融（北京）有限公司",
    "scope": "投资管理（不含金融业务）；保险柜销售；支付服务；担保",
    "region": "南京",
    "date": "2026-01-01",
    "uscc": "91350100M000100Y44",
    "explain": True,
    "licences": [{"kind": "LICENCE_KIND_PAYMENT", "number": "Z1", "validUntil": "2100-01-01"}],
}
MANY = {"name": "海青网络科技有限公司", "scope": "金融、证券、" * 200, "date": "2026-01-01"}
# verb, path as the document has it, path as called, body, status
CALLS = [
    ("post", "/v1/screen", "/v1/screen", RICH, 200),
    ("post", "/v1/screen", "/v1/screen", MANY, 200),
    ("post", "/v1/screen", "/v1/screen", {"name": "海青网络科技有限公司"}, 200),
    ("post", "/v1/screen", "/v1/screen", {}, 400),
    ("post", "/v1/screen:batch", "/v1/screen:batch", {"requests": [RICH, MANY, RICH]}, 200),
    ("post", "/v1/screen:batch", "/v1/screen:batch", {"requests": [{}]}, 400),
    ("post", "/v1/lists:validate", "/v1/lists:validate", {"draft": {"files": [{"path": "a", "content": "b"}]}}, 501),
    ("post", "/v1/lists:reload", "/v1/lists:reload", {}, 200),
    ("get", "/v1/instruments", "/v1/instruments?region=320100&date=2026-01-01", None, 200),
    ("get", "/v1/instruments", "/v1/instruments?colour=red", None, 400),
    ("get", "/v1/instruments/{id}", "/v1/instruments/cn-768", None, 200),
    ("get", "/v1/terms:find", "/v1/terms:find?text=P2P", None, 200),
]
PAYMENT = {"name": "某地明日支付有限公司", "region": "320104", "scope": "支付服务"}
WHY = {"reason": "核查"}
# the same of the watch list, one after another
RECORDED = [
    ("post", "/v1/firms:record", "/v1/firms:record", {"screen": PAYMENT, "requestId": "a-1"}, 200),
    ("post", "/v1/firms:record", "/v1/firms:record", {"screen": {"name": "某地丙有限公司"}, "requestId": "a-1"}, 409),
    ("post", "/v1/firms:record", "/v1/firms:record", {"screen": RICH | {"uscc": "91350100M000100Y43"}}, 200),
    ("post", "/v1/firms:open", "/v1/firms:open", {
        "name": "某地理想家居有限公司", "region": "南京", "source": "WATCH_SOURCE_COMPLAINT", "businessFields": ["BUSINESS_FIELD_FUND"],
        "evidence": {"reference": "举报1号", "text": "承诺保本", "informant": "某甲"},
    }, 200),
    ("post", "/v1/firms/{firm}:addEvidence", "/v1/firms/F3:addEvidence", {"evidence": {"reference": "照片"}}, 200),
    ("post", "/v1/firms/{firm}:overrule", "/v1/firms/F1:overrule", {"term": "支付", "field": "FIELD_NAME", **WHY}, 200),
    ("patch", "/v1/firms/{firm}", "/v1/firms/F1", {"updateMask": "tags,note", "tags": ["重点"], "note": "已约谈", **WHY}, 200),
    ("patch", "/v1/firms/{firm}", "/v1/firms/F1", {"updateMask": "tags", "etag": "1", **WHY}, 409),
    ("post", "/v1/referrals/{referral}:receive", "/v1/referrals/R1:receive", {}, 200),
    ("post", "/v1/referrals/{referral}:accept", "/v1/referrals/R1:accept", {"note": "受理"}, 200),
    ("post", "/v1/referrals/{referral}:conclude", "/v1/referrals/R1:conclude", {"opinion": {"disposition": "DISPOSITION_REVOKE"}}, 200),
    ("post", "/v1/referrals/{referral}:receive", "/v1/referrals/R2:receive", {}, 200),
    ("post", "/v1/referrals/{referral}:return", "/v1/referrals/R2:return", WHY, 200),
    ("post", "/v1/referrals/{referral}:redirect", "/v1/referrals/R2:redirect", {"body": "320100/banking-regulator", **WHY}, 200),
    ("post", "/v1/firms/{firm}:revoke", "/v1/firms/F1:revoke", WHY, 200),
    ("post", "/v1/referrals/{referral}:escalate", "/v1/referrals/R1:escalate", WHY, 400),
    ("post", "/v1/firms/{firm}:link", "/v1/firms/F1:link", {"uscc": "91350100M000100Y43"}, 200),
    ("get", "/v1/firms/{firm}", "/v1/firms/91350100M000100Y43", None, 200),
    ("get", "/v1/firms/{firm}", "/v1/firms/F99", None, 404),
    ("get", "/v1/firms/{firm}/file", "/v1/firms/F2/file?pageSize=5", None, 200),
    ("get", "/v1/firms", "/v1/firms?filter.region=320000&filter.statuses=WATCH_STATUS_OPEN&pageSize=1", None, 200),
    ("get", "/v1/firms:count", "/v1/firms:count?by=COUNT_BY_TERM&by=COUNT_BY_STATUS", None, 200),
    ("get", "/v1/referrals", "/v1/referrals?states=REFERRAL_STATE_SENT", None, 200),
    ("get", "/v1/referrals:reconcile", "/v1/referrals:reconcile?body=320100/finance-office", None, 200),
    ("get", "/v1/journal/head", "/v1/journal/head", None, 200),
]
# streams, and what the calls above leave out
NOT_REPLAYED = {
    ("post", "/v1/lists:preview"),
    ("get", "/v1/changes"),
    ("get", "/v1/referrals:stream"),
    ("get", "/v1/journal:backup"),
    ("get", "/v1/operations/{name}:readOutput"),
}


def call(address, verb, path, body=None):
    """Status and JSON of an answer."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        f"http://{address}{path}", data=data, method=verb.upper(), headers={"content-type": "application/json"} if data else {}
    )
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def close(node):
    """Lets no schema have properties that it does not name: an answer that has one is not as documented."""
    if isinstance(node, dict):
        if "properties" in node:
            node.setdefault("additionalProperties", False)
        for child in node.values():
            close(child)
    elif isinstance(node, list):
        for child in node:
            close(child)


class Document:
    def __init__(self, document):
        self.document = document
        close(document["components"]["schemas"])
        resource = Resource.from_contents(document, default_specification=DRAFT202012)
        self.registry = Registry().with_resource("urn:openapi", resource)

    def check(self, pointer, value):
        """Checks a value by the schema at a JSON pointer."""
        schema = {"$ref": f"urn:openapi#{pointer}"}
        Draft202012Validator(schema, registry=self.registry).validate(value)

    def operation(self, verb, path):
        assert verb in self.document["paths"][path], f"{verb} {path} is not in the document"
        return "/paths/" + path.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D") + "/" + verb

    def check_call(self, address, verb, path, called, body, expected):
        operation = self.operation(verb, path)
        if body is not None:
            self.check(f"{operation}/requestBody/content/application~1json/schema", body)
        status, answer = call(address, verb, called, body)
        assert status == expected, f"{verb} {called}: {status}, {answer}"
        if status == 200:
            self.check(f"{operation}/responses/200/content/application~1json/schema", answer)
        else:
            self.check("/components/responses/Error/content/application~1json/schema", answer)


OPERATIONS = "/v1/operations"
OPERATION = "/v1/operations/{name}"


def operations(document, office):
    """The calls about an operation; what they are by verb and path."""
    asked = {"inputs": ["firms.csv"], "output": "out.csv"}
    document.check_call(office, "post", "/v1/rescreens", "/v1/rescreens", {"inputs": ["../firms.csv"], "output": "out.csv"}, 400)
    document.check_call(office, "post", "/v1/rescreens", "/v1/rescreens", asked, 200)
    document.check_call(office, "post", "/v1/rescreens", "/v1/rescreens", asked, 409)
    document.check_call(office, "get", OPERATIONS, f"{OPERATIONS}?pageSize=5", None, 200)
    status, listed = call(office, "get", OPERATIONS)
    assert status == 200 and len(listed["operations"]) == 1, listed
    path = "/v1/" + listed["operations"][0]["name"]
    until = time.monotonic() + SECONDS
    while not call(office, "get", path)[1].get("done"):
        assert time.monotonic() < until, "it takes too long"
        time.sleep(0.01)
    ended = call(office, "get", path)[1]
    assert ended["response"]["@type"] == "type.googleapis.com/mingcha.v1.RescreenResponse", ended
    assert ended["response"]["flagged"] == "1" and ended["metadata"]["state"] == "RESCREEN_STATE_DONE", ended
    document.check_call(office, "get", OPERATION, path, None, 200)
    document.check_call(office, "post", OPERATION + ":cancel", path + ":cancel", {}, 200)
    document.check_call(office, "delete", OPERATION, path, None, 200)
    document.check_call(office, "get", OPERATION, path, None, 404)
    return {("post", "/v1/rescreens"), ("get", OPERATIONS), ("get", OPERATION), ("post", OPERATION + ":cancel"), ("delete", OPERATION)}


def main(address, office):
    status, served = call(address, "get", "/v1/openapi.json")
    assert status == 200
    openapi_spec_validator.validate(served)

    document = Document(served)
    for case in CALLS:
        document.check_call(address, *case)
    for case in RECORDED:
        document.check_call(office, *case)
    replayed = {(verb, path) for verb, path, *_ in CALLS + RECORDED} | operations(document, office)
    known = {(verb, path) for path, verbs in served["paths"].items() for verb in verbs}
    assert known - replayed == NOT_REPLAYED, f"not replayed: {known - replayed}"

    # a check that cannot fail would be none
    for wrong in ({"colour": "red"}, {"decision": "PASS"}, {"hits": [{"startByte": "1"}]}, []):
        try:
            document.check("/components/schemas/mingcha.v1.ScreenResponse", wrong)
        except Exception as error:  # noqa: BLE001
            assert type(error).__name__ == "ValidationError", error
        else:
            raise AssertionError(f"{wrong} passes as an answer")
    print(f"openapi: {len(CALLS) + len(RECORDED)} answers are as documented")


if __name__ == "__main__":
    main(*sys.argv[1:])
