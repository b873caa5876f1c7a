"""The page's CDK app is synthesised as it stands, and what comes out is what the other pages ask for."""

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-cdk" / "bin" / "python"
SYNTHESISE = """
app = cdk.App(outdir="out")
OrdersStack(app, "Orders")
app.synth()
"""
pytestmark = pytest.mark.cdk


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the page's stack becomes."""
    if not PYTHON.exists():
        pytest.skip("needs aws-cdk-lib, which `make test-cdk` installs")
    folder = tmp_path_factory.mktemp("app")
    (folder / "src").mkdir()
    (folder / "src" / "process_item.py").write_text("def handler(event, context): ...\n")
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "cdk.md").read_text("utf-8"), re.DOTALL)
    (folder / "app.py").write_text(code + SYNTHESISE, "utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "functions")}
    done = subprocess.run([PYTHON, "app.py"], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / "out" / "Orders.template.json").read_text("utf-8"))


def of(template: Any, kind: str) -> dict[str, Any]:
    """Return the properties of each resource of a type."""
    return {name: each["Properties"] for name, each in template["Resources"].items() if each["Type"] == kind}


def statements(template: Any, role: str) -> list[dict[str, Any]]:
    """Return what the role of a resource, whose name begins so, may do."""
    return [
        statement
        for name, policy in of(template, "AWS::IAM::Policy").items()
        if name.startswith(role)
        for statement in policy["PolicyDocument"]["Statement"]
    ]


@pytest.mark.parametrize("role", ["ProcessItemServiceRole", "OrderWorkflowServiceRole"])
def test_a_step_may_do_what_a_step_needs(template: Any, role: str) -> None:
    """Its actions are those of docs/deployment.md, on the imported table alone."""
    policy, *_ = re.findall(r"```json\n(.*?)```", (ROOT / "docs" / "deployment.md").read_text("utf-8"), re.DOTALL)
    needed = json.loads(policy)["Statement"][0]["Action"]
    (statement,) = statements(template, role)
    assert sorted(statement["Action"]) == sorted(needed)
    resources = [each for each in statement["Resource"] if each != {"Ref": "AWS::NoValue"}]
    assert resources == [{"Fn::ImportValue": "runstore-TableArn"}]


def test_the_functions_have_the_layer_and_the_table(template: Any) -> None:
    """Both functions get the layer from a parameter, and the table's name out of its imported ARN."""
    functions = of(template, "AWS::Lambda::Function")
    assert len(functions) == 2
    for each in functions.values():
        assert each["Layers"] == [{"Ref": "LayerArn"}]
        variables = each["Environment"]["Variables"]
        assert variables.keys() == {"RUNSTORE_TABLE", "RUNSTORE_TTL_DAYS", "RUNSTORE_MAX_VALUE_BYTES"}
        assert "runstore-TableArn" in json.dumps(variables["RUNSTORE_TABLE"])


def test_a_state_calls_the_store_s_function(template: Any) -> None:
    """The state machine names the function of the parameter, and may invoke it and no other."""
    (machine,) = [
        each for name, each in of(template, "AWS::StepFunctions::StateMachine").items() if name.startswith("Orders")
    ]
    parts = machine["DefinitionString"]["Fn::Join"][1]
    assert {"Ref": "PushItemFunctionArn"} in parts
    payload = {"runId.$": "$$.Execution.Id", "key": "results", "item.$": "$", "token": "push"}
    definition = json.loads("".join(part if isinstance(part, str) else "REFERENCE" for part in parts))
    assert definition["States"]["Push"]["Parameters"]["Payload"] == payload
    invoked = [each for each in statements(template, "OrdersRole") if each["Action"] == "lambda:InvokeFunction"]
    assert "PushItemFunctionArn" in json.dumps(invoked)
    assert len(invoked) == 1


def test_the_workflow_machine_is_the_package_s(template: Any) -> None:
    """It has the definition of the package, the function in its place, and the permissions that children need."""
    (machine,) = [
        each for each in of(template, "AWS::StepFunctions::StateMachine").values() if "StateMachineName" in each
    ]
    shipped = json.loads((ROOT / "functions/runstore/workflow/workflow.asl.json").read_text("utf-8"))
    assert json.loads(machine["DefinitionString"]) == shipped
    assert "OrderWorkflow" in json.dumps(machine["DefinitionSubstitutions"]["WorkflowFunctionArn"])
    actions = set()
    for each in statements(template, "OrderMachineRole"):
        actions |= {each["Action"]} if isinstance(each["Action"], str) else set(each["Action"])
    described = re.findall(r"(?:states|events):[A-Z]\w+", (ROOT / "docs" / "workflow.md").read_text("utf-8"))
    assert actions - {"lambda:InvokeFunction"} == set(described) - {"states:SendTaskSuccess", "states:SendTaskFailure"}
