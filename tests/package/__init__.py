"""Tests of what the installed package brings beside its code: the state machine, schemas, lower bounds."""
