"""Step Functions in simulated time, for the states that `workflow.asl.json` uses and no others.

The public interpreters of the Amazon States Language (ministack's and moto's among them) count no history events,
enforce no payload limit and cannot redrive, which is what is to be proved here. This one refuses what it does not know.

Which events a state leaves in the history is what AWS shows for real executions (its API reference lists the types
under `HistoryEvent`): entered and exited for each state; TaskScheduled, TaskStarted, and TaskSucceeded or TaskFailed
for each try of a task, and TaskSubmitted for one that is waited for (`.sync`); MapStateStarted, an event where an
iteration begins and one where it ends, MapStateSucceeded or MapStateFailed. A transition is a state entered, a retry,
a redrive, or the start of an execution.
"""
