"""The PyEDB job manager's names, over Yard, Manager and client: its scripts run as they are.

`job_submission` says what to solve, `job_manager_handler` and `service` have it solved; the other
modules are commands. Importing any of them starts nothing.
"""
