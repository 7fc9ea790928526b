"""T1-guided reconstruction of undersampled MRI; the packages stand in the order in which the data meet them.

``data`` (files to aligned slices), ``acquisition`` (slices to the simulated scan), ``networks`` (plain torch),
``compute`` (where and how a network computes), ``training``, ``evaluation``; beside them the tools ``demo``, ``study``
and ``benchmark``. None imports from one that comes later.
"""
