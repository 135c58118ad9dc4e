"""A client of MinIO's admin API that users have, unmodified, against a real server."""

from __future__ import annotations

import json
import secrets
from typing import Any

import pytest
from minio import Minio, MinioAdmin
from minio.credentials import StaticProvider
from minio.error import MinioAdminException, S3Error


@pytest.fixture
def admin(server: Any) -> MinioAdmin:
    provider = StaticProvider(server.access_key, server.secret_key)
    return MinioAdmin(endpoint=f"127.0.0.1:{server.port}", credentials=provider, secure=False)


@pytest.fixture
def objects(server: Any) -> Minio:
    return Minio(
        endpoint=f"127.0.0.1:{server.port}",
        access_key=server.access_key,
        secret_key=server.secret_key,
        secure=False,
    )


def test_quotas(admin: MinioAdmin, objects: Minio, tmp_path: Any) -> None:
    name = f"interop-{secrets.token_hex(6)}"
    objects.make_bucket(bucket_name=name)
    path = tmp_path / "file"
    path.write_bytes(b"x" * 6_000_000)
    objects.fput_object(bucket_name=name, object_name="one", file_path=str(path))
    admin.bucket_quota_set(name, 10_000_000)
    assert json.loads(admin.bucket_quota_get(name))["quota"] == 10_000_000
    with pytest.raises(S3Error, match="XMinioAdminBucketQuotaExceeded"):
        objects.fput_object(bucket_name=name, object_name="two", file_path=str(path))
    objects.remove_object(bucket_name=name, object_name="one")
    objects.fput_object(bucket_name=name, object_name="two", file_path=str(path))
    usage = json.loads(admin.get_data_usage_info())
    assert usage["bucketsUsageInfo"][name]["size"] == 6_000_000
    admin.bucket_quota_clear(name)
    assert json.loads(admin.bucket_quota_get(name))["quota"] == 0
    objects.fput_object(bucket_name=name, object_name="one", file_path=str(path))
    for key in ("one", "two"):
        objects.remove_object(bucket_name=name, object_name=key)
    objects.remove_bucket(bucket_name=name)


def test_info(admin: MinioAdmin, server: Any) -> None:
    info = json.loads(admin.info())
    assert info["mode"] == "online"
    (described,) = info["servers"]
    assert described["endpoint"] == f"127.0.0.1:{server.port}"
    assert described["drives"][0]["path"] == str(server.data_dir)
    account = json.loads(admin.account_info())
    assert account["AccountName"] == server.access_key


def test_what_is_missing_is_refused(admin: MinioAdmin) -> None:
    for call in (admin.service_restart, admin.service_stop, admin.top_locks):
        with pytest.raises(MinioAdminException, match="NotImplemented"):
            call()
