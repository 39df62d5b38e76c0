CREATE TABLE "experiments" (
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location VARCHAR(256), 
	lifecycle_stage VARCHAR(32), 
	creation_time BIGINT, 
	last_update_time BIGINT, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT experiment_pk PRIMARY KEY (experiment_id), 
	CONSTRAINT experiments_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT uq_experiments_workspace_name UNIQUE (workspace, name)
);
insert into experiments values (0, 'Default', '/PLACE/mlruns/0', 'active', 1795367623738, 1795367623738, 'default');
insert into experiments values (1, 'digits', '/PLACE/mlruns/1', 'active', 1795367623801, 1795367623801, 'default');
CREATE TABLE "runs" (
	run_uuid VARCHAR(32) NOT NULL, 
	name VARCHAR(250), 
	source_type VARCHAR(20), 
	source_name VARCHAR(500), 
	entry_point_name VARCHAR(50), 
	user_id VARCHAR(256), 
	status VARCHAR(9), 
	start_time BIGINT, 
	end_time BIGINT, 
	source_version VARCHAR(50), 
	lifecycle_stage VARCHAR(20), 
	artifact_uri VARCHAR(200), 
	experiment_id INTEGER, deleted_time BIGINT, 
	CONSTRAINT run_pk PRIMARY KEY (run_uuid), 
	CONSTRAINT source_type CHECK (source_type IN ('NOTEBOOK', 'JOB', 'LOCAL', 'UNKNOWN', 'PROJECT')), 
	CONSTRAINT runs_lifecycle_stage CHECK (lifecycle_stage IN ('active', 'deleted')), 
	FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CHECK (status IN ('SCHEDULED', 'FAILED', 'FINISHED', 'RUNNING', 'KILLED'))
);
insert into runs values ('caaf5d0f4a384a729379279124ca7ac1', 'first: try', 'UNKNOWN', '', '', 'root', 'FINISHED', 1795367624076, 1795367624775, '', 'active', '/PLACE/mlruns/1/caaf5d0f4a384a729379279124ca7ac1/artifacts', 1, null);
insert into runs values ('0f04db2836c04625ad529c9fb941654b', 'child', 'UNKNOWN', '', '', 'root', 'FINISHED', 1795367624588, 1795367624703, '', 'active', '/PLACE/mlruns/1/0f04db2836c04625ad529c9fb941654b/artifacts', 1, null);
insert into runs values ('f2c2feed948849a892a046c6f83990f9', 'failed', 'UNKNOWN', '', '', 'unknown', 'FAILED', 1795367625303, 1795367625367, '', 'active', '/PLACE/mlruns/1/f2c2feed948849a892a046c6f83990f9/artifacts', 1, null);
insert into runs values ('158bc5ba142743d4976569a1a7526467', 'open', 'UNKNOWN', '', '', 'unknown', 'RUNNING', 1795367625409, null, '', 'active', '/PLACE/mlruns/1/158bc5ba142743d4976569a1a7526467/artifacts', 1, null);
insert into runs values ('ac4a06ac759540aba4bec90c3369aed6', 'gone', 'UNKNOWN', '', '', 'unknown', 'FINISHED', 1795367625463, 1795367625507, '', 'deleted', '/PLACE/mlruns/1/ac4a06ac759540aba4bec90c3369aed6/artifacts', 1, 1795367625549);
CREATE TABLE "params" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000) NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT param_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
insert into params values ('lr', '0.1', 'caaf5d0f4a384a729379279124ca7ac1');
insert into params values ('layers', '2', 'caaf5d0f4a384a729379279124ca7ac1');
insert into params values ('flag', 'True', 'caaf5d0f4a384a729379279124ca7ac1');
insert into params values ('opt/name', 'adam
w', 'caaf5d0f4a384a729379279124ca7ac1');
insert into params values ('code', '007', 'caaf5d0f4a384a729379279124ca7ac1');
CREATE TABLE "metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	step BIGINT DEFAULT '0' NOT NULL, 
	is_nan BOOLEAN DEFAULT '0' NOT NULL, 
	CONSTRAINT metric_pk PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
insert into metrics values ('loss', 1.0, 1795367624228, 'caaf5d0f4a384a729379279124ca7ac1', 1, 0);
insert into metrics values ('val/acc', 0.0, 1795367624228, 'caaf5d0f4a384a729379279124ca7ac1', 1, 1);
insert into metrics values ('loss', 1.7976931348623157e+308, 1795367624279, 'caaf5d0f4a384a729379279124ca7ac1', 2, 0);
insert into metrics values ('loss', 0.25, 1795367624355, 'caaf5d0f4a384a729379279124ca7ac1', 30, 0);
insert into metrics values ('loss', 3.0, 1795367624664, '0f04db2836c04625ad529c9fb941654b', 0, 0);
CREATE TABLE "latest_metrics" (
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	timestamp BIGINT, 
	step BIGINT NOT NULL, 
	is_nan BOOLEAN NOT NULL, 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT latest_metric_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid), 
	CHECK (is_nan IN (0, 1))
);
insert into latest_metrics values ('loss', 0.25, 1795367624355, 30, 0, 'caaf5d0f4a384a729379279124ca7ac1');
insert into latest_metrics values ('val/acc', 0.0, 1795367624228, 1, 1, 'caaf5d0f4a384a729379279124ca7ac1');
insert into latest_metrics values ('loss', 3.0, 1795367624664, 0, 0, '0f04db2836c04625ad529c9fb941654b');
CREATE TABLE "tags" (
	"key" VARCHAR(250) NOT NULL, 
	value VARCHAR(8000), 
	run_uuid VARCHAR(32) NOT NULL, 
	CONSTRAINT tag_pk PRIMARY KEY ("key", run_uuid), 
	FOREIGN KEY(run_uuid) REFERENCES runs (run_uuid)
);
insert into tags values ('mlflow.user', 'root', 'caaf5d0f4a384a729379279124ca7ac1');
insert into tags values ('mlflow.source.name', 'write_mlflow.py', 'caaf5d0f4a384a729379279124ca7ac1');
insert into tags values ('mlflow.source.type', 'LOCAL', 'caaf5d0f4a384a729379279124ca7ac1');
insert into tags values ('mlflow.runName', 'first: try', 'caaf5d0f4a384a729379279124ca7ac1');
insert into tags values ('k', 'v', 'caaf5d0f4a384a729379279124ca7ac1');
insert into tags values ('mlflow.note.content', 'a note', 'caaf5d0f4a384a729379279124ca7ac1');
insert into tags values ('mlflow.user', 'root', '0f04db2836c04625ad529c9fb941654b');
insert into tags values ('mlflow.source.name', 'write_mlflow.py', '0f04db2836c04625ad529c9fb941654b');
insert into tags values ('mlflow.source.type', 'LOCAL', '0f04db2836c04625ad529c9fb941654b');
insert into tags values ('mlflow.parentRunId', 'caaf5d0f4a384a729379279124ca7ac1', '0f04db2836c04625ad529c9fb941654b');
insert into tags values ('mlflow.runName', 'child', '0f04db2836c04625ad529c9fb941654b');
insert into tags values ('mlflow.runName', 'failed', 'f2c2feed948849a892a046c6f83990f9');
insert into tags values ('mlflow.runName', 'open', '158bc5ba142743d4976569a1a7526467');
insert into tags values ('mlflow.runName', 'gone', 'ac4a06ac759540aba4bec90c3369aed6');
CREATE TABLE "datasets" (
	dataset_uuid VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	digest VARCHAR(36) NOT NULL, 
	dataset_source_type VARCHAR(36) NOT NULL, 
	dataset_source TEXT NOT NULL, 
	dataset_schema TEXT, 
	dataset_profile TEXT, 
	CONSTRAINT dataset_pk PRIMARY KEY (experiment_id, name, digest), 
	CONSTRAINT fk_datasets_experiment_id_experiments FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
insert into datasets values ('e00a7fe8c71941f2ae66962213cbfaa4', 1, 'd', '7d38af28', 'code', '{"tags": {}}', null, null);
CREATE TABLE inputs (
	input_uuid VARCHAR(36) NOT NULL, 
	source_type VARCHAR(36) NOT NULL, 
	source_id VARCHAR(36) NOT NULL, 
	destination_type VARCHAR(36) NOT NULL, 
	destination_id VARCHAR(36) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, 
	CONSTRAINT inputs_pk PRIMARY KEY (source_type, source_id, destination_type, destination_id)
);
insert into inputs values ('6e945b2071814b4bb5c5e9da84208450', 'DATASET', 'e00a7fe8c71941f2ae66962213cbfaa4', 'RUN', 'caaf5d0f4a384a729379279124ca7ac1', 0);
CREATE TABLE input_tags (
	input_uuid VARCHAR(36) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	value VARCHAR(500) NOT NULL, 
	CONSTRAINT input_tags_pk PRIMARY KEY (input_uuid, name)
);
insert into input_tags values ('6e945b2071814b4bb5c5e9da84208450', 'mlflow.data.context', 'train');
CREATE TABLE "registered_models" (
	name VARCHAR(256) NOT NULL, 
	creation_time BIGINT, 
	last_updated_time BIGINT, 
	description VARCHAR(5000), 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT registered_model_pk PRIMARY KEY (workspace, name)
);
insert into registered_models values ('digit model', 1795367624952, 1795367625233, null, 'default');
CREATE TABLE "model_versions" (
	name VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	creation_time BIGINT, 
	last_updated_time BIGINT, 
	description VARCHAR(5000), 
	user_id VARCHAR(256), 
	current_stage VARCHAR(20), 
	source VARCHAR(500), 
	run_id VARCHAR(32), 
	status VARCHAR(20), 
	status_message VARCHAR(500), 
	run_link VARCHAR(500), 
	storage_location VARCHAR(500), 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT model_version_pk PRIMARY KEY (workspace, name, version), 
	CONSTRAINT fk_model_versions_registered_models FOREIGN KEY(workspace, name) REFERENCES registered_models (workspace, name) ON UPDATE CASCADE
);
insert into model_versions values ('digit model', 1, 1795367625007, 1795367625007, 'small', null, 'None', '/PLACE/mlruns/1/caaf5d0f4a384a729379279124ca7ac1/artifacts/model', 'caaf5d0f4a384a729379279124ca7ac1', 'READY', null, null, '/PLACE/mlruns/1/caaf5d0f4a384a729379279124ca7ac1/artifacts/model', 'default');
insert into model_versions values ('digit model', 2, 1795367625067, 1795367625233, null, null, 'Staging', '/PLACE/mlruns/1/caaf5d0f4a384a729379279124ca7ac1/artifacts/model', 'caaf5d0f4a384a729379279124ca7ac1', 'READY', null, null, '/PLACE/mlruns/1/caaf5d0f4a384a729379279124ca7ac1/artifacts/model', 'default');
CREATE TABLE "registered_model_aliases" (
	alias VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT registered_model_alias_pk PRIMARY KEY (workspace, name, alias), 
	CONSTRAINT fk_registered_model_aliases_registered_models FOREIGN KEY(workspace, name) REFERENCES registered_models (workspace, name) ON DELETE CASCADE ON UPDATE CASCADE
);
insert into registered_model_aliases values ('champ', 1, 'digit model', 'default');
CREATE TABLE "model_version_tags" (
	"key" VARCHAR(250) NOT NULL, 
	value TEXT, 
	name VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	workspace VARCHAR(63) DEFAULT 'default' NOT NULL, 
	CONSTRAINT model_version_tag_pk PRIMARY KEY (workspace, "key", name, version), 
	CONSTRAINT fk_model_version_tags_model_versions FOREIGN KEY(workspace, name, version) REFERENCES model_versions (workspace, name, version) ON UPDATE CASCADE
);
CREATE TABLE logged_models (
	model_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	name VARCHAR(500) NOT NULL, 
	artifact_location VARCHAR(1000) NOT NULL, 
	creation_timestamp_ms BIGINT NOT NULL, 
	last_updated_timestamp_ms BIGINT NOT NULL, 
	status INTEGER NOT NULL, 
	lifecycle_stage VARCHAR(32), 
	model_type VARCHAR(500), 
	source_run_id VARCHAR(32), 
	status_message VARCHAR(1000), 
	CONSTRAINT logged_models_pk PRIMARY KEY (model_id), 
	CONSTRAINT logged_models_lifecycle_stage_check CHECK (lifecycle_stage IN ('active', 'deleted')), 
	CONSTRAINT fk_logged_models_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
CREATE TABLE logged_model_params (
	model_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	param_key VARCHAR(255) NOT NULL, 
	param_value TEXT NOT NULL, 
	CONSTRAINT logged_model_params_pk PRIMARY KEY (model_id, param_key), 
	CONSTRAINT fk_logged_model_params_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_logged_model_params_model_id FOREIGN KEY(model_id) REFERENCES logged_models (model_id) ON DELETE CASCADE
);
CREATE TABLE logged_model_tags (
	model_id VARCHAR(36) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	tag_key VARCHAR(255) NOT NULL, 
	tag_value TEXT NOT NULL, 
	CONSTRAINT logged_model_tags_pk PRIMARY KEY (model_id, tag_key), 
	CONSTRAINT fk_logged_model_tags_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id), 
	CONSTRAINT fk_logged_model_tags_model_id FOREIGN KEY(model_id) REFERENCES logged_models (model_id) ON DELETE CASCADE
);
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
insert into alembic_version values ('dc11669786a5');
CREATE TABLE "trace_info" (
	request_id VARCHAR(50) NOT NULL, 
	experiment_id INTEGER NOT NULL, 
	timestamp_ms BIGINT NOT NULL, 
	execution_time_ms BIGINT, 
	status VARCHAR(50) NOT NULL, 
	client_request_id VARCHAR(50), 
	request_preview VARCHAR(1000), 
	response_preview VARCHAR(1000), 
	db_payload_generation INTEGER DEFAULT '0' NOT NULL, trace_name VARCHAR(4096), session_id VARCHAR(250), input_tokens BIGINT, output_tokens BIGINT, total_tokens BIGINT, cache_read_input_tokens BIGINT, cache_creation_input_tokens BIGINT, cache_creation_input_tokens_above_1hr BIGINT, input_cost FLOAT, output_cost FLOAT, total_cost FLOAT, 
	CONSTRAINT trace_info_pk PRIMARY KEY (request_id), 
	CONSTRAINT fk_trace_info_experiment_id FOREIGN KEY(experiment_id) REFERENCES experiments (experiment_id) ON DELETE CASCADE
);
CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
CREATE INDEX index_latest_metrics_run_uuid ON latest_metrics (run_uuid);
CREATE INDEX index_inputs_input_uuid ON inputs (input_uuid);
CREATE INDEX index_inputs_destination_type_destination_id_source_type ON inputs (destination_type, destination_id, source_type);
CREATE INDEX index_params_run_uuid ON params (run_uuid);
CREATE INDEX index_tags_run_uuid ON tags (run_uuid);
CREATE INDEX index_datasets_dataset_uuid ON datasets (dataset_uuid);
CREATE INDEX index_datasets_experiment_id_dataset_source_type ON datasets (experiment_id, dataset_source_type);
CREATE INDEX idx_experiments_workspace ON experiments (workspace);
CREATE INDEX idx_registered_models_workspace ON registered_models (workspace);
CREATE INDEX idx_experiments_workspace_creation_time ON experiments (workspace, creation_time);
CREATE INDEX index_metrics_run_uuid_key_step ON metrics (run_uuid, "key", step);
CREATE INDEX idx_model_version_tags_workspace_name_version ON model_version_tags (workspace, name, version);
CREATE INDEX index_trace_info_experiment_id_timestamp_ms ON trace_info (experiment_id, timestamp_ms);
CREATE INDEX index_trace_info_timestamp_ms_request_id ON trace_info (timestamp_ms, request_id);
CREATE INDEX index_trace_info_experiment_id_session_id ON trace_info (experiment_id, session_id);
