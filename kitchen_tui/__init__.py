"""What a person sees: the `kitchen` command line and the screens. Both only read and ask; the
daemon does.
"""
