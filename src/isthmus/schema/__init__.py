"""Description of one sample as plain values, which model files contain."""

from isthmus.schema.condition import Condition as Condition
from isthmus.schema.field import CATEGORICAL as CATEGORICAL
from isthmus.schema.field import KINDS as KINDS
from isthmus.schema.field import LEFT_OUT as LEFT_OUT
from isthmus.schema.field import MICROSECONDS as MICROSECONDS
from isthmus.schema.field import NUMBERS as NUMBERS
from isthmus.schema.field import Field as Field
from isthmus.schema.schema import END as END
from isthmus.schema.schema import Schema as Schema
