"""Infrastructure: state machines, the Lambda layer, Terraform, and the local stack for development."""
