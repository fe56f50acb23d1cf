"""An MMO: the seven raw logs of its accounts, day by day, with the truth about them.

`logs` has the accounts and writes their actions; `truth` adds up the expected results.
"""
