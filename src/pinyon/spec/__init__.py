"""From the user's files to `pinyon.model.project.Project`: unresolved templates that know their lines, or one error.

Modules: `files` (bytes to text, never too many), `yaml` (YAML 1.2, the only one that knows PyYAML), `checks` (the
small parts of a schema), `schema` (what `pinyon.yaml` and `dvc.yaml` may say), `params` (parameter files of five
kinds), `load` (a directory becomes a `Project`). Every mistake of the user's is a `SpecError` that names file and line.
"""
