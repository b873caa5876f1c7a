"""The state machine that runs every workflow class, as it belongs to this version of the package."""

from __future__ import annotations

import json

_PLACEHOLDER = "${WorkflowFunctionArn}"


def state_machine_definition(function_arn: str | None = None) -> str:
    """Return the definition of the workflow state machine, in Amazon States Language.

    The text is `workflow.asl.json`, which the package contains: in the wheel, the layer and the functions' bundle.
    It fits the workflow classes of the same version of the package.

    Args:
        function_arn: The ARN of the workflow's Lambda function, of one of its versions or aliases, or a placeholder
            of a deployment tool. It replaces `${WorkflowFunctionArn}`. Without it the placeholder stays in the text,
            as SAM's `DefinitionSubstitutions`, the CDK's `definition_substitutions` and Terraform's `templatefile`
            expect it.
    """
    from importlib.resources import files  # noqa: PLC0415 brings tempfile and more, of which functions need nothing

    text = files("runstore.workflow").joinpath("workflow.asl.json").read_text("utf-8")
    return text if function_arn is None else text.replace(_PLACEHOLDER, json.dumps(function_arn)[1:-1])
