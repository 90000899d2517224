"""Everything that employees asks of its database. Writes take the unit's connection and leave the commit to their caller.

people   one employee: get, add, change, remove
rules    what must hold for all of them together: uniqueness, managers, dates
lines    reporting lines: reports, managers, loops
lists    filters, search, sorting, paging
batches  many rows of an import at once
exports  everyone at one instant
"""
