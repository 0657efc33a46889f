"""A kit: what is handed to a candidate, in one archive.

    <scenario>-<candidate>/
      README.md  Makefile  GUIDE.md
      work/<scenario>/                  the workspace: finished, broken, the candidate's to change
      harness/                          the rest; files of a checkout at the places they have there
        <wheel>  wheel.lock             the harness, as far as a candidate's commands import it
        requirements.lock
        broken_services/flight_delay/   the two protected modules that references come from
        broken_services/<scenario>/     scenario.yaml without the variant, ticket, public checks
          handed_out/workspace/         the workspace again, to restore protected files from
          handed_out/registry/          the trained releases

There is no healthy service in it, no overlay, no variant, no attempt and no grader: to compare its
files with each other gives nothing away. `making` puts it together, `wheel` builds the harness,
`trained` takes from the registry what the scenario does not begin with.
"""

from sandbox.kit.making import make

__all__ = ["make"]
