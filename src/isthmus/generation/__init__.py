"""Generation of new rows, imputation, and the steps after training."""

from isthmus.generation.codes import decode_codes as decode_codes
from isthmus.generation.codes import draw_codes as draw_codes
from isthmus.generation.finalizing import finalize as finalize
from isthmus.generation.imputation import draw_missing as draw_missing
from isthmus.generation.imputation import expect_missing as expect_missing
from isthmus.generation.rows import draw_rows as draw_rows
from isthmus.generation.rows import mask_values as mask_values
