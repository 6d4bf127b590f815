"""Checks the OpenAPI document of a running Mingcha with a validator, and Mingcha's answers by the document.

usage: openapi.py ADDRESS
"""

import json
import sys
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


def main(address):
    status, served = call(address, "get", "/v1/openapi.json")
    assert status == 200
    openapi_spec_validator.validate(served)

    document = Document(served)
    for case in CALLS:
        document.check_call(address, *case)
    replayed = {(verb, path) for verb, path, *_ in CALLS}
    known = {(verb, path) for path, verbs in served["paths"].items() for verb in verbs}
    assert known - replayed == {("post", "/v1/lists:preview")}, f"not replayed: {known - replayed}"

    # a check that cannot fail would be none
    for wrong in ({"colour": "red"}, {"decision": "PASS"}, {"hits": [{"startByte": "1"}]}, []):
        try:
            document.check("/components/schemas/mingcha.v1.ScreenResponse", wrong)
        except Exception as error:  # noqa: BLE001
            assert type(error).__name__ == "ValidationError", error
        else:
            raise AssertionError(f"{wrong} passes as an answer")
    print(f"openapi: {len(CALLS)} answers are as documented")


if __name__ == "__main__":
    main(sys.argv[1])
