"""What every implementation of the run store does alike: the same tests on each of them."""
