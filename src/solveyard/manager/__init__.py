"""The manager: carries messages between people, machines, the engine and the store.

`manager` is the one object that all doors talk to. What comes goes through `turns`, what is to be
done leaves by `outbox`; every other module is one duty of a manager that lives.
"""
