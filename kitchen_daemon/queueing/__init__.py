"""The queue's judgement: who runs next, where, and why the others wait. It touches nothing; it is told all."""
