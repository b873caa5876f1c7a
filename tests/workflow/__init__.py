"""The Workflow class: its parts, its state machine in an interpreter, and the whole on the local stack."""
