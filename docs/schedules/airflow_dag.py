"""An Airflow DAG: the quarterly reports through our own render, and one study through Airflow's papermill operator."""

from __future__ import annotations

import datetime as dt

from airflow import DAG
from airflow.providers.papermill.operators.papermill import PapermillOperator
from airflow.providers.standard.operators.bash import BashOperator

HOME = "/srv/kam"

with DAG(
    dag_id="key_account_reports",
    schedule="0 6 1 1,4,7,10 *",
    start_date=dt.datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 1, "retry_delay": dt.timedelta(minutes=10)},
) as dag:
    # Where this fails, the earlier book stays and nothing is rendered.
    book = BashOperator(
        task_id="book",
        cwd=HOME,
        bash_command=".venv/bin/kam ingest my-mapping.yml --source exports/ --out books/mine",
    )
    # Checked, published whole, graded: this is the one to use.
    reports = BashOperator(
        task_id="reports",
        cwd=HOME,
        bash_command=".venv/bin/kam render quarterly --book books/mine --period last --since 2026-Q1 --jobs 2",
        # For --redact, a variable of Airflow, which masks it in its logs:
        # env={"KAM_REDACT_KEY": "{{ var.value.kam_redact_key_secret }}"}, append_env=True,
    )
    # A bare notebook run, for those who collect executed notebooks: no check of parameters, no page, no grading.
    notebook = PapermillOperator(
        task_id="churn_notebook",
        input_nb=f"{HOME}/notebooks/studies/churn.ipynb",
        output_nb=f"{HOME}/reports/churn-{{{{ ds }}}}.ipynb",
        parameters={"place": f"{HOME}/books/mine", "as_of": "{{ ds }}"},
    )
    book >> reports >> notebook
