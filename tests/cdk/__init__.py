"""docs/cdk.md, synthesised: `make test-cdk`, in an environment that has the CDK."""
