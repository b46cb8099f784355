"""Pictures with a known fault, to measure the critic by: what is wrong, how badly, and who should say so.

    case = good_case(seed=10_000)
    defect = DEFECTS["wrong hair"]
    exhibit = defect.exhibit(case, severity=2, seed=1)     # the same wish, another picture
    defect.expected                                        # the findings, any of which names the fault

Three severities: 1 is hardly visible, 2 is seen at once by a person, 3 is gross; `Defect.levels` says what each means in
numbers. The same case, severity and seed give the same pixels. It knows the drawn world only, and no instrument of the critic.
"""

from zirelia.pocket.defects.cases import Case, Route, good_case, good_cases
from zirelia.pocket.defects.registry import DEFECTS, SEVERITIES, Defect

__all__ = ["DEFECTS", "SEVERITIES", "Case", "Defect", "Route", "good_case", "good_cases"]
