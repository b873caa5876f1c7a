"""What type checkers see of the public interface: mypy holds these files, nothing runs them."""
