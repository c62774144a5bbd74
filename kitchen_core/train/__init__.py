"""The training domain: types, ports, renderers, losses, schedules. No SDK and no I/O."""
