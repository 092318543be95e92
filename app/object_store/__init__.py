"""Files in an S3-compatible store (STORAGE_URL), for workers without a shared volume. Not imported if the setting is
empty.

    datasets/{content hash}     what is in a version of a dataset, and in which packs
    packs/{sha256}              files of datasets, many in one object
    blobs/{sha256}              weights and checkpoints that children read
    jobs/{token}/{attempt}/     what an attempt reads (`inputs`), and what it has made so far (`outputs`, `out/`)
"""
