"""The second witness: OpenSCAP and lynis look at the same hosts, and what they say stands in the report beside ours.

archive.py fetches them, payload.py packs them, remote/guest.py runs them on a host without leaving anything there, openscap.py and
lynis.py read what they say, disagreement.py lays it beside what we say, section.py shows it. hearing.py is the whole of it.
"""
