"""The in-memory DynamoDB answers as DynamoDB Local does, so that the simulation shows something about DynamoDB."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.backends import Backend
from tests.simulation.client import Direct, SimulatedClient
from tests.simulation.database import Database

KEY = {"run_id": {"S": "r"}, "key": {"S": "k"}}
OTHER = {"run_id": {"S": "r"}, "key": {"S": "l"}}
ITEM = {**KEY, "n": {"N": "1"}, "s": {"S": "text"}, "e": {"L": [{"S": "a"}]}}
ONE, TEXT = {":v": {"N": "1"}}, {":v": {"S": "text"}}
NONE: dict[str, Any] = {":v": {"L": []}}
ALL_OLD = {"ReturnValuesOnConditionCheckFailure": "ALL_OLD"}


def _update(expression: str, values: Any = None, **more: Any) -> tuple[str, dict[str, Any]]:
    return "update_item", {
        "Key": KEY, "UpdateExpression": expression, "ReturnValues": "UPDATED_NEW",
        **({"ExpressionAttributeValues": values} if values else {}), **more,
    }  # fmt: skip


def _if(condition: str, values: Any = None, **more: Any) -> tuple[str, dict[str, Any]]:
    return "delete_item", {
        "Key": KEY, "ConditionExpression": condition,
        **({"ExpressionAttributeValues": values} if values else {}), **more,
    }  # fmt: skip


def _number(text: str) -> tuple[str, dict[str, Any]]:
    return "put_item", {"Item": {**KEY, "n": {"N": text}}}


def _plus(start: str, more: str) -> tuple[str, dict[str, Any]]:
    return _update("SET n = :v + :w", {":v": {"N": start}, ":w": {"N": more}})


def _query(condition: str, values: Any, **more: Any) -> tuple[str, dict[str, Any]]:
    run = {":r": {"S": "r"}}
    names = {"#k": "key"} if "#k" in condition or "#k" in more.get("ProjectionExpression", "") else None
    return "query", {
        "KeyConditionExpression": f"run_id = :r{condition}", "ExpressionAttributeValues": {**run, **values},
        **({"ExpressionAttributeNames": names} if names else {}), **more,
    }  # fmt: skip


def _transact(*writes: Any) -> tuple[str, dict[str, Any]]:
    return "transact_write_items", {"TransactItems": list(writes)}


REQUESTS: dict[str, tuple[str, dict[str, Any]]] = {
    # conditions
    "an absent attribute is unequal": _if("zz <> :v", TEXT),
    "an absent attribute equals nothing": _if("zz = :v", TEXT, **ALL_OLD),
    "not, of an absent attribute": _if("NOT zz = :v", TEXT),
    "absent is not even equal to absent": _if("yy = zz"),
    "absent attributes have no order": _if("yy <= zz"),
    "absent is between nothing": _if("zz BETWEEN :v AND :v", ONE),
    "text and numbers have no order": _if("s < :v", ONE),
    "attributes of two types have no order": _if("n <= s"),
    "attribute against attribute": _if("n <> s AND NOT s = n AND NOT n < e"),
    "or binds less than and": _if("attribute_exists(n) OR attribute_exists(zz) AND attribute_exists(yy)"),
    "parentheses": _if("(attribute_exists(n) OR attribute_exists(zz)) AND attribute_exists(yy)"),
    "not binds more than and": _if("NOT attribute_exists(zz) AND attribute_exists(n)"),
    "begins_with": _if("begins_with(s, :v)", TEXT),
    "begins_with of a number": _if("begins_with(n, :v)", TEXT),
    "numbers compare as numbers": _if("n < :v", {":v": {"N": "10"}}),
    "numbers are equal in any notation": _if("n = :v", {":v": {"N": "1.0"}}),
    "lists can be equal": _if("e = :v", {":v": {"L": [{"S": "a"}]}}),
    "nothing old to show": ("delete_item", {"Key": OTHER, "ConditionExpression": "attribute_exists(n)", **ALL_OLD}),
    "an unused value": _if("attribute_exists(n)", TEXT),
    "an undefined value": _if("n = :w", ONE),
    "no values": _if("attribute_exists(n)", ExpressionAttributeValues={}),
    "a reserved word": _if("value = :v", ONE),
    "an unfinished condition": _if("attribute_exists(n) AND"),
    # updates
    "operands are read from the old item": _update("SET n = n + :v, m = n", ONE, ReturnValues="ALL_NEW"),
    "an item is made": ("update_item", {**_update("ADD n :v", ONE, ReturnValues="ALL_NEW")[1], "Key": OTHER}),
    "set, remove and add in one": _update("SET m = :v REMOVE s ADD n :v", ONE, ReturnValues="ALL_NEW"),
    "subtraction": _update("SET n = n - :v", {":v": {"N": "2.5"}}),
    "if_not_exists, absent": _update("SET m = if_not_exists(m, :v) + :v", ONE),
    "if_not_exists, present": _update("SET m = if_not_exists(n, :v) + :v", ONE),
    "list_append": _update("SET e = list_append(if_not_exists(e, :v), :w)", {**NONE, ":w": {"L": [{"S": "b"}]}}),
    "list_append to nothing": _update("SET f = list_append(if_not_exists(f, :v), :v)", NONE),
    "list_append to text": _update("SET s = list_append(s, :v)", NONE),
    "list_append to an absent attribute": _update("SET f = list_append(f, :v)", NONE),
    "add to text": _update("ADD s :v", ONE),
    "add text": _update("ADD n :v", TEXT),
    "plus text": _update("SET n = n + :v", TEXT),
    "a copy of nothing": _update("SET m = zz"),
    "remove what is not there": _update("REMOVE zz"),
    "one path twice": _update("SET n = :v, n = :v", ONE),
    "one path in two clauses": _update("SET n = :v REMOVE n", ONE),
    "one clause twice": _update("SET n = :v SET m = :v", ONE),
    "three summands": _update("SET n = :v + :v + :v", ONE),
    "small letters": _update("set m = :v add n :v", ONE),
    "part of the key": _update("SET #k = :v", TEXT, ExpressionAttributeNames={"#k": "key"}),
    "condition before type": _update("ADD s :v", ONE, ConditionExpression="attribute_exists(zz)"),
    "old values": _update("SET n = :v, m = :v", {":v": {"N": "5"}}, ReturnValues="UPDATED_OLD"),
    "too large": _update("SET s = :v", {":v": {"S": "x" * 409_600}}),
    # numbers
    **{f"number {text}": _number(text) for text in (
        "1.0", "1E+2", "1e5", "-0", "0.10", "1e-7", "1e-130", "1.5e30", "1e100", "+5", "00012", "-1.50E-10", ".5",
        "5.", " 5", "0x1", "nan", "", "1e126", "9.9e125", "1e-131", "9" * 38, "9" * 39, "1" + "0" * 60,
    )},
    "38 nines and one": _plus("9" * 38, "1"),
    "38 nines and two": _plus("9" * 38, "2"),
    "38 nines and a half": _plus("9" * 38, "0.5"),
    "large and small": _plus("1e30", "1e-30"),
    "decimals": _plus("0.1", "0.2"),
    "to zero": _plus("-7", "7"),
    # one item
    "put and show the old": ("put_item", {"Item": KEY, "ReturnValues": "ALL_OLD"}),
    "put cannot show the new": ("put_item", {"Item": KEY, "ReturnValues": "ALL_NEW"}),
    "put under a condition": ("put_item", {"Item": KEY, "ConditionExpression": "attribute_exists(zz)", **ALL_OLD}),
    "delete and show the old": ("delete_item", {"Key": KEY, "ReturnValues": "ALL_OLD"}),
    "delete nothing": ("delete_item", {"Key": OTHER, "ReturnValues": "ALL_OLD"}),
    "get nothing": ("get_item", {"Key": OTHER, "ConsistentRead": True}),
    "get a part": ("get_item", {"Key": KEY, "ProjectionExpression": "n, zz"}),
    "half a key": ("get_item", {"Key": {"run_id": {"S": "r"}}}),
    "an empty key": ("get_item", {"Key": {"run_id": {"S": ""}, "key": {"S": "k"}}}),
    # several items
    "query all": _query("", {}),
    "query between": _query(" AND #k BETWEEN :a AND :b", {":a": {"S": "a1"}, ":b": {"S": "a3"}}),
    "query the last": _query(" AND #k < :a", {":a": {"S": "a3"}}, Limit=1, ScanIndexForward=False),
    "query to the limit": _query(" AND begins_with(#k, :a)", {":a": {"S": "a"}}, Limit=4),
    "query from a place": _query("", {}, ExclusiveStartKey={"run_id": {"S": "r"}, "key": {"S": "a1"}}),
    "query backwards from a place": _query(
        "", {}, ExclusiveStartKey={"run_id": {"S": "r"}, "key": {"S": "a1"}}, ScanIndexForward=False
    ),
    "query, filtered": _query("", {":n": {"N": "2"}}, FilterExpression="v > :n", Limit=4),
    "query, counted": _query("", {}, Select="COUNT"),
    "query a part": _query("", {}, ProjectionExpression="#k"),
    "query, limit 0": _query("", {}, Limit=0),
    "batch get": ("batch_get_item", {"RequestItems": {"T": {"Keys": [KEY, OTHER], "ConsistentRead": True}}}),
    "batch get twice the same": ("batch_get_item", {"RequestItems": {"T": {"Keys": [KEY, KEY]}}}),
    "batch write": ("batch_write_item", {"RequestItems": {"T": [
        {"DeleteRequest": {"Key": KEY}}, {"PutRequest": {"Item": OTHER}}]}}),
    "batch write twice the same": ("batch_write_item", {"RequestItems": {"T": [
        {"DeleteRequest": {"Key": KEY}}, {"PutRequest": {"Item": KEY}}]}}),
    "transaction": _transact({"Put": {"Item": OTHER}}, {"Update": {
        "Key": KEY, "UpdateExpression": "SET n = :v", "ConditionExpression": "n = :v",
        "ExpressionAttributeValues": ONE}}),
    "transaction, one condition false": _transact({"Put": {"Item": OTHER}}, {"Delete": {
        "Key": KEY, "ConditionExpression": "attribute_exists(zz)", **ALL_OLD}}),
    "transaction, all conditions false": _transact(
        {"Put": {"Item": OTHER, "ConditionExpression": "attribute_exists(zz)", **ALL_OLD}},
        {"ConditionCheck": {"Key": KEY, "ConditionExpression": "attribute_exists(zz)"}}),
    "transaction, one item twice": _transact({"Put": {"Item": KEY}}, {"Delete": {"Key": KEY}}),
}  # fmt: skip


class _Subject:
    """A DynamoDB with the same few items in it for each request."""

    def __init__(self, client: Any, table: str) -> None:
        self.client, self.table = client, table

    def answer(self, method: str, request: dict[str, Any]) -> Any:
        for item in self.client.query(
            TableName=self.table,
            KeyConditionExpression="run_id = :r",
            ExpressionAttributeValues={":r": {"S": "r"}},
        )["Items"]:
            self.client.delete_item(TableName=self.table, Key={name: item[name] for name in KEY})
        self.client.put_item(TableName=self.table, Item=ITEM)
        for i in range(5):
            self.client.put_item(
                TableName=self.table, Item={"run_id": {"S": "r"}, "key": {"S": f"a{i}"}, "v": {"N": str(i)}}
            )
        answered: Any
        try:
            answered = getattr(self.client, method)(**self._named(method, request))
        except ClientError as failure:
            answered = {"code": failure.response["Error"]["Code"], "item": failure.response.get("Item")}
            reasons: Any = failure.response.get("CancellationReasons", [])
            answered["reasons"] = [(reason["Code"], reason.get("Item")) for reason in reasons]
        for name in ("ResponseMetadata", "ConsumedCapacity"):
            answered.pop(name, None)
        if "Responses" in answered:
            answered["Responses"] = list(answered["Responses"].values())
        left = self.client.query(
            TableName=self.table,
            KeyConditionExpression="run_id = :r",
            ExpressionAttributeValues={":r": {"S": "r"}},
        )["Items"]
        return answered, left

    def _named(self, method: str, request: dict[str, Any]) -> dict[str, Any]:
        if method.startswith("batch"):
            return {"RequestItems": {self.table: request["RequestItems"]["T"]}}
        if method == "transact_write_items":
            writes = request["TransactItems"]
            return {"TransactItems": [{kind: {"TableName": self.table, **write} for kind, write in action.items()}
                                      for action in writes]}  # fmt: skip
        return {"TableName": self.table, **request}


@pytest.fixture(scope="module")
def subjects(dynamodb_local_backend: Backend) -> Iterator[tuple[_Subject, _Subject]]:
    """DynamoDB Local and ours. What boto3 would refuse to send is for the server to refuse."""
    real = dynamodb_local_backend.client(parameter_validation=False, retries={"total_max_attempts": 1})
    yield _Subject(real, dynamodb_local_backend.make_table()), _Subject(SimulatedClient(Direct(Database())), "runs")
    real.close()


@pytest.mark.parametrize("name", REQUESTS)
def test_answers_like_dynamodb_local(name: str, subjects: tuple[_Subject, _Subject]) -> None:
    """Every kind of request has the same answer, and leaves the same items, in memory as on DynamoDB Local."""
    method, request = REQUESTS[name]
    real, ours = subjects
    assert ours.answer(method, request) == real.answer(method, request)
