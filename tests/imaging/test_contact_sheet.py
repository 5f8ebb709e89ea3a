import numpy as np

from image_translation.imaging.contact_sheet import GAP, contact_sheet, evenly_spaced


def test_images_are_arranged_in_rows():
    rows = [
        np.full((3, 8, 8, 3), value, np.uint8)
        + np.arange(3, dtype=np.uint8)[:, None, None, None]
        for value in (10, 100)
    ]
    sheet = np.asarray(contact_sheet(rows, tile=16))
    assert sheet.shape == (2 * 16 + GAP, 3 * 16 + 2 * GAP, 3)
    centres = sheet[8 :: 16 + GAP, 8 :: 16 + GAP, 0]
    np.testing.assert_array_equal(centres, [[10, 11, 12], [100, 101, 102]])
    assert (sheet[16 : 16 + GAP] == 255).all()


def test_indices_are_evenly_spaced_and_include_both_ends():
    assert evenly_spaced(100, 4) == [0, 33, 66, 99]
    assert evenly_spaced(2, 4) == [0, 1]
    assert evenly_spaced(0, 4) == []
