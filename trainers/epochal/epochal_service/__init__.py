"""The `epochal` command of the Python package: Epochal's service, a Node package that the wheel contains.

Apart from the SDK (`epochal`), which a training imports: the command needs none of it, and starts sooner without.
"""
