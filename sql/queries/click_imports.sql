-- The imports of files of searches. Each chunk of rows goes in with the place that it ends at.

-- name: latest_import
-- The newest import of a file with this content.
SELECT id, fingerprint, name, options, file_offset, line, accepted, rejected, rejects_bytes,
    started_at, finished_at
FROM click_imports
WHERE fingerprint = :fingerprint
ORDER BY id DESC
LIMIT 1;

-- name: last_named_import
-- The newest import of a file that was called so, whatever was in it.
SELECT id, fingerprint, name, options, file_offset, line, accepted, rejected, rejects_bytes,
    started_at, finished_at
FROM click_imports
WHERE name = :name
ORDER BY id DESC
LIMIT 1;

-- name: import_totals
SELECT count(*) FILTER (WHERE finished_at IS NULL) AS unfinished,
    coalesce(sum(accepted), 0)::bigint AS accepted, coalesce(sum(rejected), 0)::bigint AS rejected
FROM click_imports;

-- name: begin_import
INSERT INTO click_imports (fingerprint, name, options)
VALUES (:fingerprint, :name, :options)
RETURNING id, fingerprint, name, options, file_offset, line, accepted, rejected, rejects_bytes,
    started_at, finished_at;

-- name: lock_import
-- The place where an import is, which stays until the transaction ends; no row if another process
-- has moved or finished it.
SELECT id
FROM click_imports
WHERE id = :id AND file_offset = :file_offset AND line = :line AND finished_at IS NULL
FOR UPDATE NOWAIT;

-- name: move_import
UPDATE click_imports
SET file_offset = :file_offset,
    line = :line,
    accepted = :accepted,
    rejected = :rejected,
    rejects_bytes = :rejects_bytes,
    moved_at = now()
WHERE id = :id;

-- name: finish_import
UPDATE click_imports
SET finished_at = now(), moved_at = now()
WHERE id = :id AND file_offset = :file_offset AND line = :line AND finished_at IS NULL
RETURNING finished_at, id;
