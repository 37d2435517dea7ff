"""Django's Tasks API: from Django itself since 6.0, from the package django-tasks before."""

from typing import TYPE_CHECKING

import django

# The type checker always takes the first branch: its stubs are for Django 6.
if TYPE_CHECKING or django.VERSION >= (6, 0):
    from django.tasks import Task, TaskResult, TaskResultStatus, task
    from django.tasks.backends.base import BaseTaskBackend
else:
    from django_tasks import TaskResult, TaskResultStatus, task
    from django_tasks.backends.base import BaseTaskBackend
    from django_tasks.base import Task

__all__ = ["BaseTaskBackend", "Task", "TaskResult", "TaskResultStatus", "task"]
