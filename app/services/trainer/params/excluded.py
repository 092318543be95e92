"""The keys of ultralytics' default.yaml that are not parameters here, and why.

A test compares them with the installed default.yaml: new keys must be classified.
"""

REQUEST = {  # fields of the request itself, by ultralytics' names
    "task": "architecture",
    "model": "architecture",
    "data": "dataset_id",
    "epochs": "epochs",
    "batch": "batch_size",
    "imgsz": "img_size",
    "lr0": "learning_rate",
}

PATH = "a path or a name of files"
PREDICT = "of prediction, not of training"
SHOW = "of drawing and saving predictions"
EXPORT = "of export, not of training"
DEPTH = "of depth models, which no dataset here fits"

EXCLUDED = {
    "mode": "it is always train",
    "project": PATH,
    "name": PATH,
    "exist_ok": PATH,
    "cfg": PATH,
    "tracker": PATH,
    "source": PATH,
    "distill_model": PATH,
    "dis": "of distillation, which needs a path",
    "pretrained": "may hold a path; `start` says what to start from",
    "resume": "may hold a path; the server resumes by itself",
    "save": "without checkpoints nothing could be resumed",
    "val": "without validation there are no metrics, no best weights and nothing for the coach to see",
    "split": "an epoch is validated on the validation images",
    "time": "the number of epochs would change while the training runs; what it promised would not hold",
    "verbose": "the log is kept as it is",
    "profile": "exports to ONNX and TensorRT while training",
    "save_json": "writes files for other tools, and needs pycocotools",
    "conf": "metrics of trainings could not be compared any more",
    "iou": "metrics of trainings could not be compared any more",
    "compile": "needs a C compiler, which the container image has not",
    "channels_last": "ultralytics switches it on where it helps",
    "quantize": "quantization-aware training needs a package (modelopt) that is not installed",
    "classes": "a dataset keeps its classes; it would train on some of them under all their names",
    "dlog": DEPTH,
    "dgrad": DEPTH,
    "dlam": DEPTH,
    **dict.fromkeys(
        ("vid_stride", "stream_buffer", "visualize", "augment", "agnostic_nms", "retina_masks", "embed", "dnn", "nms"),
        PREDICT,
    ),
    **dict.fromkeys(
        (
            "show",
            "save_frames",
            "save_txt",
            "save_conf",
            "save_crop",
            "show_labels",
            "show_conf",
            "show_boxes",
            "line_width",
        ),
        SHOW,
    ),
    **dict.fromkeys(("format", "optimize", "dynamic", "simplify", "opset", "workspace"), EXPORT),
}
