"""Requests and responses about tests of a trained model."""

from apiflask.fields import File, Float, Integer, List, Nested, Raw, String

from app.schemas.base import MAX_ID, DateTime, Page, PageQuery, Schema, between


class TestQuery(PageQuery):
    training_id = Integer(validate=between(1, MAX_ID))


class TestForm(Schema):
    """The test form of the specification."""

    file = File(required=True)
    training_id = Integer(required=True, validate=between(1, MAX_ID))
    confidence = Float(load_default=0.5, validate=between(0, 1))
    iou = Float(load_default=0.5, validate=between(0, 1))


class TestCreated(Schema):
    test_id = Integer()
    detections = List(Raw(), metadata={"description": "class, confidence, bbox [x1, y1, x2, y2], center, area"})
    inference_time = Float(metadata={"description": "ms, the model alone"})
    total_time = Float(metadata={"description": "ms, with reading and drawing"})
    image_url = String()


class TestOut(TestCreated):
    id = Integer()
    training_id = Integer()
    training_name = String()
    confidence_threshold = Float()
    iou_threshold = Float()
    created_at = DateTime()


class TestPage(Page):
    tests = List(Nested(TestOut))
