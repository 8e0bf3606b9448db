"""What the columns of downloaded data mean: one dictionary per kind of table, in the order of its columns."""

UNIT_COLUMNS = {
    "unit": "Code of the site, device or technician, or name of the model or software version",
    "name": "Its longer name; for a device manufacturer, model and serial number",
    "standing": "Where it lies against the limits; 'too few to judge' below 30 decided captures or 3 patients",
    "ungradable": "First captures that are decided and ungradable (count)",
    "decided": "First captures of which every required slab is graded (count)",
    "visits": "Patient visits that these captures come from (count)",
    "patients": "Patients of the latest 16 captures, or 100 where 16 are of fewer than 3 (count; a lower bound)",
    "effective_n": "decided / design effect: as many independent captures would say as much",
    "rate": "ungradable / decided, 0 to 1",
    "low": "Lower end of Wilson's 95 % interval of rate on effective_n, 0 to 1",
    "high": "Upper end of the same interval",
    "shrunken": "Empirical-Bayes rate, drawn towards the other units; empty with fewer than 3 units, 0 to 1",
    "shrunken_low": "Lower end of its 95 % interval",
    "shrunken_high": "Upper end of its 95 % interval",
    "p_value": "Two-sided p-value against the usual rate; empty where there are too few to judge",
    "q_value": "p_value adjusted for the number of units (Benjamini and Hochberg)",
    "final_gradable": "Expected scans that have a gradable capture by now, replacements included (count)",
    "final_received": "Expected scans of which any capture was received (count)",
}

ACTION_COLUMNS = {
    "study": "Code of the study",
    "site": "Code of the site",
    "kind": "What was agreed: an issue to settle, a retraining, or a device's certificate suspended",
    "unit_kind": "What it is about: site, device, technician, model or software version",
    "unit": "Code or name of that unit",
    "text": "What is to be done, as it was written down",
    "owner": "Who sees to it",
    "due_on": "By when; empty where no day was set",
    "state": "open, done or dropped",
    "is_overdue": "Open after its day, on the day of the download",
    "opened_by": "Who opened it",
    "opened_at": "When (UTC)",
    "closed_at": "When it ended (UTC); empty while it is open",
    "closing": "What its end was written down with",
}

STANDARDISED_COLUMNS = {
    "observed": "Ungradable first captures of the months that were read, at most 52 weeks (count)",
    "expected": "As many as the unit's own cases would have at the usual rate of each kind of case",
    "ratio": "observed / expected; 1 is as expected",
    "ratio_low": "Lower end of its 95 % interval, with the design effect of visits",
    "ratio_high": "Upper end of the same",
    "standardised": "ratio times the usual rate; may exceed 1",
    "standardised_low": "Lower end of its 95 % interval",
    "standardised_high": "Upper end of the same",
    "standardised_p": "Two-sided p-value of observed against expected, on the effective number",
    "why": "Why there is no standardised rate",
}

CASE_COLUMNS = {
    "kind": "Kind and field of the scan, decade of age, diagnosis; rare kinds are put together as other",
    "decided": "Decided first captures of the months that were read, at most 52 weeks (count)",
    "ungradable": "Of them ungradable (count)",
    "rate": "ungradable / decided, 0 to 1: the usual rate of this kind of case",
}

POINT_COLUMNS = {
    "from": "First day of the point (Monday, UTC), by day of acquisition",
    "to": "Last day of the point: a point is as many weeks as hold 5 patient visits",
    "ungradable": "First captures that are decided and ungradable (count)",
    "decided": "First captures of which every required slab is graded (count)",
    "visits": "Patient visits that these captures come from (count)",
    "rate": "ungradable / decided, 0 to 1",
    "centre": "Rate of the frozen baseline, 0 to 1",
    "low": "Lower limit of this point, 0 to 1",
    "high": "Upper limit of this point, 0 to 1",
    "standing": "Whether a run rule fired at this point, and on which side",
    "rules": "The rules that fired, by name; empty for the baseline's own points",
    "is_baseline": "True where the point is part of the baseline that it is held against",
    "cusum": "Sum of evidence for doubled odds after this point (log likelihood ratio, 0 or more)",
    "ewma": "Moving average after this point, in standard deviations of one point",
}

CAUSE_COLUMNS = {
    "code": "Code of the cause: OSCAR-MP, OSCAR-IB or octaudit's own",
    "cause": "The cause in words",
    "cure": "Whether an operator can cure it at the device",
    "failed_first": "Ungradable first captures of which it is the weightiest cause (count; sums to failed)",
    "failed_any": "Ungradable first captures that have it among their causes (count)",
    "failed": "Ungradable first captures (count)",
    "share": "failed_first / failed, 0 to 1",
    "cumulative": "Sum of share over this cause and all more frequent ones, 0 to 1",
}
CURE_COLUMNS = {
    "group": "Code of the site",
    "cure": "Who could cure the weightiest cause",
    "failed_first": "Ungradable first captures with that answer (count)",
    "failed": "Ungradable first captures of the site (count)",
    "share": "failed_first / failed, 0 to 1",
}
HEAT_COLUMNS = {
    "group": "Code of the site or device",
    "code": "Code of the cause",
    "cause": "The cause in words",
    "failed_any": "Ungradable first captures that have it among their causes (count)",
    "decided": "First captures of the group of which every required slab is graded (count)",
    "rate": "failed_any / decided, 0 to 1",
}
SEVERITY_COLUMNS = {
    "artifact": "Kind of artifact; decentration is the fovea's distance from the centre",
    "severity": "Worst severity over the required slabs: mild (1 to 10 % of the region of interest) or severe (more)",
    "captures": "Decided first captures with it (count)",
    "decided": "First captures of which every required slab is graded (count)",
    "share": "captures / decided, 0 to 1",
}
CONFUSION_COLUMNS = {
    "first": "Grade of the row: the model's, or one person's",
    "second": "Grade of the column: a person's",
    "pairs": "Pairs of grades of the same scan (count)",
    "share": "pairs / all pairs of the row, 0 to 1",
}
KAPPA_COLUMNS = {
    "group": "Code of the site or device, or the slab",
    "pairs": "Pairs of the model's and a person's grade (count)",
    "patients": "Patients behind the pairs (count)",
    "percent": "Share of equal grades, 0 to 1",
    "percent_low": "Lower end of its 95 % interval over resampled patients",
    "percent_high": "Upper end of the same",
    "kappa": "Quadratically weighted kappa, -1 to 1; empty where it cannot be computed",
    "kappa_low": "Lower end of its 95 % interval",
    "kappa_high": "Upper end of the same",
    "ac1": "Gwet's AC1, -1 to 1",
    "ac1_low": "Lower end of its 95 % interval",
    "ac1_high": "Upper end of the same",
    "why": "Why a figure cannot be computed",
}
SCORE_COLUMNS = {
    "when": "The chosen period, or the year before it",
    "from": "Lower end of the bin of the model's probability of ungradable, 0 to 1",
    "to": "Upper end of the bin",
    "scans": "Scored slabs in the bin (count)",
    "share": "scans / all scored slabs of that time, 0 to 1",
}
INDEX_COLUMNS = {
    "when": "The chosen period, or the year before it",
    "from": "Lower end of the bin of the device's own quality index, in the index's unit",
    "scans": "Scored captures in the bin (count)",
    "share": "scans / all scored captures of that time, 0 to 1",
}
DRIFT_COLUMNS = {
    "device": "Code of the device",
    "site": "Code of its site",
    "model": "Model of the device",
    "level": "none, moderate or major: the worse of scores and index; 'too few to judge' below 30 on one side",
    "scans_before": "Scored slabs in the year before the period (count)",
    "scans_now": "Scored slabs in the period (count)",
    "abstained_now": "Share of the period's slabs that the model abstained from, 0 to 1",
    "strangers_now": "Share of the period's slabs that look like no OCTA image, 0 to 1",
    "score_psi": "Population stability index of the probability of ungradable",
    "score_js": "Jensen-Shannon distance of the same, 0 to 1",
    "score_wasserstein": "Wasserstein distance of the same, in standard deviations of the reference",
    "score_shift": "Difference of the means in the same unit; above 0 is more often ungradable",
    "index_psi": "Population stability index of the device's own quality index",
    "index_js": "Jensen-Shannon distance of the same, 0 to 1",
    "index_wasserstein": "Wasserstein distance of the same, in standard deviations of the reference",
    "index_shift": "Difference of the means in the same unit; below 0 is a lower index",
}
FAZ_COLUMNS = {
    "scan": "Number of the scan",
    "subject": "Pseudonym of the subject",
    "eye": "OD is the right eye, OS the left",
    "site": "Code of the site",
    "device": "Code of the device",
    "day": "Day on which it was taken (UTC)",
    "grade": "Final grade: a person's where there is one, else the model's (1 gradable, 2 outstanding)",
    "value": "The chosen metric in its unit (area mm2, perimeter mm, ratios none)",
    "robust_z": "Modified z-score of the logarithm over all scans of this slab and field; beyond 3.5 an outlier",
    "standing": "usual or outlier",
    "scale_source": "Where the millimetres come from",
    "axial_length_mm": "Axial length of the eye where it is given; values are nominal unless 'corrected' was chosen",
}
FAZ_GROUP_COLUMNS = {
    "group": "Code of the site or device",
    "scans": "Scans that are gradable or better and whose zone lies within the field (count)",
    "patients": "Patients behind them (count)",
    "quartile_1": "A quarter of the scans lies below, in the metric's unit",
    "median": "Half of the scans lie below",
    "quartile_3": "Three quarters of the scans lie below",
    "mean": "Mean of the scans; empty below three patients",
    "mean_low": "Lower end of its 95 % interval over patients",
    "mean_high": "Upper end of the same",
    "outside_norm": "Share of scans outside the published range of healthy eyes, 0 to 1; empty without a norm",
    "outliers": "Scans beyond the robust limits of all scans together (count)",
}
FAZ_PAIR_COLUMNS = {
    "strip": "What is compared: eyes of one visit, visits of one eye, or repeats at one visit",
    "subject": "Pseudonym of the subject",
    "first": "Number of the first scan (left eye, earlier visit, earlier repeat)",
    "scan": "Number of the second scan",
    "first_value": "The metric of the first scan, in its unit",
    "second_value": "The metric of the second scan",
    "value": "second_value - first_value",
    "days": "Whole days between the two captures",
}
FAZ_GRADE_COLUMNS = {
    "grade": "Final grade",
    "scans": "Scans with a value, zone within the field (count)",
    "patients": "Patients behind them (count)",
    "median": "Half of the scans lie below",
    "deviation": "Standard deviation of the scans",
    "mean": "Mean of the scans; empty below three patients",
    "low": "Lower end of its 95 % interval over patients",
    "high": "Upper end of the same",
}
SCAN_SCORE_COLUMNS = {
    "scan": "Number of the scan",
    "device": "Code of the device",
    "site": "Code of its site",
    "subject": "Pseudonym of the subject",
    "eye": "OD is the right eye, OS the left",
    "slab": "Slab that the scan shows",
    "day": "Day on which it was taken (UTC)",
    "value": "The model's probability of ungradable, 0 to 1",
    "abstained": "True where the model declined to decide",
}
SCAN_INDEX_COLUMNS = {
    **{name: SCAN_SCORE_COLUMNS[name] for name in ("scan", "device", "site", "subject", "eye", "day")},
    "index": "Name of the device's own quality index",
    "value": "Its value, in the index's unit; one row per capture",
}
CURVE_COLUMNS = {
    "of": "All devices together, or the code of one",
    "predicted": "Mean of the model's probability of ungradable in the bin, 0 to 1",
    "observed": "Share that people called ungradable, 0 to 1",
    "low": "Lower end of its 95 % interval over patients",
    "high": "Upper end of the same",
    "scans": "Graded scans in the bin (count)",
}
CALIBRATION_COLUMNS = {
    "device": "Code of the device",
    "scans": "Scans with a grade and a score (count)",
    "patients": "Patients behind them (count)",
    "standing": "Whether excess differs from nought by more than chance explains",
    "predicted": "Mean of the model's probability of ungradable, 0 to 1",
    "observed": "Share that people called ungradable, 0 to 1",
    "excess": "observed - predicted; above 0 the model promises too much",
    "excess_low": "Lower end of its 95 % interval over patients",
    "excess_high": "Upper end of the same",
    "slope": "Slope of the outcome on the logit of the probability: 1 is right, below 1 too extreme",
    "slope_low": "Lower end of its 95 % interval",
    "slope_high": "Upper end of the same",
    "error": "Expected calibration error over five bins of equal number, 0 to 1, lower is better",
    "why": "Why a figure cannot be computed",
}
VERSION_COLUMNS = {
    "scan": "Number of the scan",
    "site": "Code of the site",
    "device": "Code of the device",
    "slab": "Slab that the scan shows",
    "champion": "Model version whose assessment counts",
    "champion_grade": "Its grade, 0 to 2; empty where it abstained",
    "champion_verdict": "Its verdict: accept, review or reacquire",
    "challenger": "The other version",
    "challenger_grade": "Its grade, 0 to 2; empty where it abstained",
    "challenger_verdict": "Its verdict",
}
FIGURE_COLUMNS = {
    "topic": "What the figure is about",
    "figure": "Name of the figure",
    "set": "What it was computed on, and how that was kept apart",
    "value": "The figure, in its unit",
    "low": "Lower end of its 95 % interval over subjects",
    "high": "Upper end of the same",
    "unit": "Empty for shares, agreements and areas under a curve",
    "images": "Images that it rests on (count)",
    "subjects": "Independent groups of images: subjects, with near duplicates joined (count)",
}
METHOD_PAIR_COLUMNS = {
    "scan": "Number of the scan",
    "subject": "Pseudonym of the subject; the first scan of each",
    "site": "Code of the site",
    "device": "Code of the device",
    "eye": "OD is the right eye, OS the left",
    "reference": "Who measured first: by hand (the mean of readers) or a reader's code",
    "reference_value": "What they measured, in the metric's unit, nominal millimetres",
    "other": "What it is held against: model, or the other reader's code",
    "other_value": "What that measured, in the same unit",
    "mean": "Mean of both",
    "difference": "other_value - reference_value",
}
MATRIX_COLUMNS = {
    "site": "Code of the site",
    "name": "Its longer name",
    "indicator": "What is looked at: a share of decided first captures, overdue repeats, or turn-around",
    "light": "red, amber, green, or unknown where there are too few to judge",
    "k": "Captures with the fault; requests past their day; scans decided (count)",
    "n": "Decided first captures; open requests; scans looked at (count)",
    "share": "k / n, 0 to 1; empty where n is 0",
    "days": "Of turn-around: days by which nine of ten scans were decided; empty while more than a tenth is open",
    "change": "Against the period before: worse, same or better by a standard error; empty where it cannot be told",
    "in_a_row": "Looks, four weeks apart, that have flagged it without a break (count; 0 not flagged, 1 new)",
    "seen": "True where somebody has acknowledged the flag",
}
WEEK_COLUMNS = {
    "week": "Monday of the week of acquisition (UTC)",
    "decided": "First captures of which every required slab is graded (count)",
    "first_pass_gradable": "Of these gradable (count)",
    "first_pass_of": "The same as decided (count)",
    "first_pass": "first_pass_gradable / first_pass_of, 0 to 1; empty where nothing was decided",
    "first_pass_low": "Lower end of its 95 % interval, on the effective number of captures",
    "first_pass_high": "Upper end of the same",
    "final_gradable": "Expected scans that have a gradable capture by now, replacements included (count)",
    "final_of": "Expected scans of which any capture was received (count)",
    "final": "final_gradable / final_of, 0 to 1",
    "final_low": "Lower end of its 95 % interval",
    "final_high": "Upper end of the same",
}
GROUP_COLUMNS = {
    "group": "Code of the site or device",
    "name": "Its longer name",
    "is_judged": "False below 30 decided captures or 3 patients: too few to judge",
    "received": "First captures received (count)",
    "decided": "Of these, every required slab is graded (count)",
    "gradable": "Of the decided, gradable on every required slab (count)",
    "first_pass": "gradable / decided, 0 to 1; empty where nothing was decided",
    "first_pass_low": "Lower end of its 95 % interval, on the effective number of captures",
    "first_pass_high": "Upper end of the same",
    "final_received": "Expected scans of which any capture was received (count)",
    "final_gradable": "Of these, with a gradable capture by now, replacements included (count)",
    "final": "final_gradable / final_received, 0 to 1",
    "final_low": "Lower end of its 95 % interval",
    "final_high": "Upper end of the same",
}
MULTIPLE_COLUMNS = {
    "unit": "Code of the site, device or technician, or name of the model or software version",
    "breaks_a_rule": "True where a run rule has fired on the bad side",
    **{
        name: POINT_COLUMNS[name] for name in ("from", "to", "ungradable", "decided", "visits", "rate", "centre", "low")
    },
    "high": POINT_COLUMNS["high"],
}

RECEIPT_COLUMNS = {
    "days": "Days since the request at which a replacement came",
    "received": "Share of requests whose replacement has come by then, 0 to 1 (Kaplan and Meier)",
    "low": "Lower end of its pointwise 95 % band (log-log scale)",
    "high": "Upper end of the same band",
}
QUERY_COLUMNS = {
    "site": "Code of the site",
    "asked": "Scored scans of first captures that the site was asked about (count)",
    "scored": "Scored scans of first captures, by the day of capture (count)",
    "per_100": "100 * asked / scored",
    "low": "Lower end of Wilson's 95 % interval on the effective number, per 100",
    "high": "Upper end of the same interval",
}
FEEDBACK_COLUMNS = {
    "from": "First day of the point (Monday, UTC), by day of capture",
    "to": "Last day of the point: four weeks, fewer at the beginning",
    "gradable": "Own first captures that are decided and gradable (count)",
    "decided": "Own first captures of which every required slab is graded (count)",
    "rate": "gradable / decided, 0 to 1",
    "low": "Lower end of Wilson's 95 % interval of rate on the effective number",
    "high": "Upper end of the same interval",
}
