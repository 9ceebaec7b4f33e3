"""Follows the runbooks' own command blocks.

Owns the convention of the pages (page), the machines they run on (stage, scenes) and the verdict (cli). It
may not add a command to a page: what a page does not say is not done.
"""
