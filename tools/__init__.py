"""Tools for developers. Run each as a module, such as `python -m tools.demo`."""
