// Nothing: the functions have the names of those that they take the place of.
