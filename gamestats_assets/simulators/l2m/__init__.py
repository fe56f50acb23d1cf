"""An MMO: the seven raw logs of its accounts, day by day, with the truth about them.

`logs` has the accounts and writes what they do; `truth` adds up what has to come out of it.
"""
