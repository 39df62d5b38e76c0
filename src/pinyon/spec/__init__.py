"""From the user's files to `pinyon.model.project.Project`: unresolved templates that know their lines, or one error.

Modules: `files` (bytes to text, within bounds), `scalars` (what a plain word of YAML 1.2 means), `yaml` (documents; the
only one that knows PyYAML), `checks` (the small parts of a schema), `stage` and `schema` (what a stage and a whole file
may say), `literals` and `params` (parameter files of five kinds), `load` (a directory becomes a `Project`), `command`
(a command line that stands in no file), `adopt` (what lies there becomes a pinyon.yaml). Every
mistake of the user's is a `SpecError` that names file and line.
"""
