"""Pictures of signs: kept as long as there is room, and drawn again with the same pixels after that."""

import weakref

import numpy as np
import pytest

from pipeline.world import mesh_props, sprites
from pipeline.world.mesh import MeshBuilder, Thing, wall_between
from pipeline.world.mesh_props import add_prop, add_tree
from pipeline.world.sprites import lettering
from pipeline.world.things import Prop, Tree

WHITE, BLUE = (240, 240, 240), (20, 60, 90)


def test_pictures_of_signs_do_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    first = lettering("BAKERY", WHITE, BLUE)
    pixels, gone = first.sprite.levels[0].copy(), weakref.ref(first)
    assert first.sprite.nbytes >= 4 / 3 * 0.98 * pixels.nbytes
    assert lettering("BAKERY", WHITE, BLUE) is first
    monkeypatch.setattr(sprites._letterings, "_limit", 4 * first.sprite.nbytes)
    del first
    for number in range(5):
        lettering(f"BAKER {number}", WHITE, BLUE)
    assert gone() is None
    assert np.array_equal(lettering("BAKERY", WHITE, BLUE).sprite.levels[0], pixels)


def test_pictures_are_not_drawn_before_they_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn(*_: object) -> None:
        raise AssertionError("drawn though nobody looks")

    monkeypatch.setattr(sprites, "_drawn_lettering", drawn)
    monkeypatch.setattr(mesh_props, "tree", drawn)
    builder = MeshBuilder()
    add_prop(builder, Prop("van", 0.0, 0.0, 30.0, text="NOT YET WRITTEN"))
    add_tree(builder, Tree(5.0, 5.0, 8.0, 6.0, "round", 3))
    mesh = builder.build()
    assert (len(mesh.signs), len(mesh.boards)) == (2, 1)
    with pytest.raises(AssertionError, match="nobody looks"):
        assert mesh.signs[0].sprite
    with pytest.raises(AssertionError, match="nobody looks"):
        mesh.boards[0].draw()


@pytest.mark.parametrize("text", ["I", "BAKERY", "Apotheke am Markt"])
def test_a_sign_has_the_proportions_of_its_picture(text: str) -> None:
    builder = MeshBuilder()
    builder.start(Thing("sign", "sign", None, lasting=True, x=0.0, y=0.0))
    builder.write(text, (WHITE, BLUE), wall_between((0.0, 0.0), (50.0, 0.0)), 25.0, 2.0, 0.5, 40.0, 0.1, (0.0, 0.0))
    (sign,) = builder.build().signs
    width, height = sign.corners[1, 0] - sign.corners[0, 0], sign.corners[0, 2] - sign.corners[3, 2]
    assert width / height == pytest.approx(lettering(text, WHITE, BLUE).sprite.aspect)
    assert (sign.letters.min(axis=0) >= sign.corners.min(axis=0)).all()
    assert (sign.letters.max(axis=0) <= sign.corners.max(axis=0)).all()
