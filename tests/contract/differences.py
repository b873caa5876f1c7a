"""Where an emulator is known to differ from DynamoDB: the one list of expected failures of the contract suite.

They are strict: a test that passes all the same fails the suite, so that no line outlives its reason.
"""

_ROUNDS = "rounds to 28 digits, silently"
_ACCEPTS = "accepts what does not fit DynamoDB's numbers"

# {(implementation, test): what the emulator does instead}
DIFFERENCES: dict[tuple[str, str], str] = {
    ("ministack", "test_a_counter_is_exact_to_38_digits"): _ROUNDS,
    ("ministack", "test_a_result_of_more_than_38_digits_changes_nothing"): _ROUNDS,
    ("moto", "test_a_result_of_more_than_38_digits_changes_nothing"): _ACCEPTS,
    ("moto", "test_an_overflow_changes_nothing"): "cannot read numbers in exponential notation in an addition",
}
