"""Files in a bucket, through django-storages. Imported only where one is set."""

from __future__ import annotations

from typing import Any

from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import ClientError
from storages.backends.s3 import S3Storage
from storages.utils import clean_name

from automate.lib import s3

EXISTS = ("PreconditionFailed", "412")
NO_CONDITIONS = ("NotImplemented", "501")


class BucketStorage(S3Storage):  # type: ignore[misc]  # it has no types
    """As django-storages'; all threads of a process share one set of connections."""

    def __init__(self, *, url: str) -> None:
        self._place = s3.parse(url)
        super().__init__(
            bucket_name=self._place.name,
            location=self._place.prefix.rstrip("/"),
            client_config=Config(),
            transfer_config=TransferConfig(use_threads=False),
        )

    @property
    def connection(self) -> Any:
        return s3.resource(self._place)

    @property
    def bucket(self) -> Any:
        return self.connection.Bucket(self.bucket_name)

    def get_available_name(self, name: str, max_length: int | None = None) -> str:  # noqa: ARG002 - Django's signature
        return name

    def _save(self, name: str, content: Any) -> str:
        plain = clean_name(name)
        request = {
            "Bucket": self.bucket_name,
            "Key": self._normalize_name(plain),
            "Body": content.read(),
            **self._get_write_parameters(plain, content),
        }
        if getattr(content, "overwrite", False):
            self.connection.meta.client.put_object(**request)
        else:
            self._create(name, request)
        return str(plain)

    def _create(self, name: str, request: dict[str, Any]) -> None:
        """Write unless it is there: by a condition, or a look where there are none."""
        client = self.connection.meta.client
        if self.exists(name):
            raise FileExistsError(name)
        try:
            client.put_object(**request, IfNoneMatch="*")
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in EXISTS:
                raise FileExistsError(name) from None
            if code not in NO_CONDITIONS:
                raise
            client.put_object(**request)
