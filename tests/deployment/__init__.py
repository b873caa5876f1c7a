"""Deployment, proven with the tools that users deploy with: SAM, Terraform, pip, containers."""
