"""What each chart shows and how it is read, for pages and reports alike. What one can click is said by the page."""

from core.charts.funnel import Estimate

MATRIX_CAPTION = (
    "Red ◆ and amber ▲ rates lie above the 99.8 % and the 95 % limit around the usual rate, on the effective number of "
    "captures; ● lies within, ○ has too few to judge. An arrow is a change of more than a standard error against the "
    "period before. *New* was not flagged four weeks ago, *seen* was acknowledged. Overdue repeats are red from 3 on "
    "if half of all open; turn-around is amber beyond 3 days, red beyond 7; neither makes a site red."
)
WEEKS_CAPTION = (
    "**By week** of acquisition. *First pass* counts every capture as it first came, *final* each expected scan that "
    "has a gradable capture by now; the band is the first-pass rate's 95 % interval. The bars say how many captures "
    "stand behind it: weeks of few vary by chance. Dashed uprights are marked events."
)
FUNNEL_CAPTION = (
    "**Funnel plot.** Each mark is one unit: to the right those with many captures, upwards those that fail often. The "
    "horizontal line is the usual rate: of all units together, without those that lie far outside. A unit that fails "
    "as often as usual stays between the solid lines in 499 of 500 cases and between the dashed ones in 19 of 20; "
    "limits are exact binomial ones on the *effective* number of captures, because scans of one patient visit are "
    "alike. A unit above the upper solid line is worth a call."
)
CONTROL_CAPTION = (
    "**Control chart.** Each point is as many weeks as hold 5 patient visits; its share of ungradable first captures "
    "stands against limits of its own (grey), which a steady process leaves once in 370 points. The dashed line is the "
    "frozen baseline, provisional until somebody signs one, and the bar at the bottom the time it was taken from. "
    "Dashed uprights are marked events. *Laney* widens the limits where weeks differ more than patients do; *p* does "
    "not."
)
FAULT_CAPTION = (
    "**Control chart of a fault**, whatever the grade. Each point is at least a week, of several sites at least four, "
    "and holds 5 patient visits or more; limits (grey) and dashed baseline are as for the ungradable, with the design "
    "effect of those. The baseline is the trend's own first points or, where they are too few, the whole study's first "
    "thirteen weeks; nobody signs it."
)
SUMS_CAPTION = (
    "**CUSUM** adds up evidence that the odds of failing have doubled; above the dashed line it is a signal. **EWMA** "
    "is a moving average in standard deviations of a point; beyond a dashed line the rate has drifted. Both see a slow "
    "decline that no single point shows. A steady process crosses either line once in about 500 points."
)
PARETO_CAPTION = (
    "**Pareto.** Every ungradable first capture counts once, under its weightiest cause: what a person asked a repeat "
    "for, else the model's first reason. *Together* adds the causes from the top: often few explain most failures."
)
CURES_CAPTION = (
    "**Operator or patient.** The same captures by site and by who could cure the cause. A site with many that can be "
    "cured at the device needs training; one with many that lie with the patient does not."
)
HEAT_CAPTION = (
    "**Heat map.** A figure is how many captures failed with that cause; a capture with two causes counts under both. "
    "The colour is their share of the decided captures of that column, so that large sites do not look worse for being "
    "large. Columns of few captures vary by chance: see Sites & devices."
)
SEVERITY_CAPTION = (
    "**Severity.** Artifacts of all decided first captures, gradable or not: mild takes 1 to 10 % of the region of "
    "interest, severe more. Rising mild artifacts come before failures."
)
CONFUSION_CAPTION = (
    "**Confusion matrix.** A figure is how many pairs of grades met there, its colour their share of the row. Off the "
    "diagonal the two differ; the first row and column are what decides whether a scan counts."
)
KAPPA_CAPTION = (
    "**Kappa by group.** Agreement of model and people beyond chance, two steps apart weighing four times one step; "
    "bars are 95 % intervals over resampled patients. From the dashed line on (0.81) it is called almost perfect. "
    "Compare it with what two people reach, not with 1."
)
BLAND_ALTMAN_CAPTION = (
    "**Bland-Altman plot.** Each mark is one patient's scan measured both ways: to the right the larger zones, upwards "
    "where the second way measures more. The dashed middle line is the bias, the outer ones the limits of agreement, "
    "between which 95 of 100 differences lie; bands are 95 % intervals. A cloud that opens or slopes means that the "
    "difference grows with the zone, and the limits then are too wide for small zones and too narrow for large ones. "
    "Click a mark for its scan."
)
SCORES_CAPTION = (
    "**Scores.** How the model's probability of *ungradable* is distributed, in tenths, in this period and in the year "
    "before (grey). A hump that moves right: worse scans, or a model that no longer fits the images."
)
INDICES_CAPTION = (
    "**Device's quality index.** What the device itself says of its scans, for instance SSI, drawn where the selection "
    "has one index only. It falls with the score: the scans are worse. It stays: look at the model."
)
DRIFT_CAPTION = (
    "Drift is judged by effect size, not by p-value, because with many scans any difference is significant: PSI (from "
    "0.10 moderate, from 0.25 major), Jensen-Shannon distance and Wasserstein distance (from 0.1), and only where it "
    "is larger than 99 of 100 draws of chance. Fewer than 30 on one side are too few to judge."
)
CRUDE_CAPTION = (
    "**Forest plot, crude rates.** The filled mark is the unit's own rate, the bar its 95 % interval (Wilson, "
    "effective number). The hollow square is the shrunken rate: drawn towards the other units as far as its own "
    "numbers are weak. The dashed line is the usual rate."
)
SHRUNKEN_CAPTION = (
    "**Forest plot, shrunken rates.** The filled mark is the unit's rate drawn towards the other units as far as its "
    "own numbers are weak (empirical Bayes), with its 95 % interval: the better guess of what it will do next. The "
    "hollow square is the crude rate. The dashed line is the usual rate."
)
STANDARDISED_CAPTION = (
    "**Forest plot, standardised rates.** The filled mark is the rate that the unit would have with everybody's mix of "
    "cases (observed / expected times the usual rate), with its 95 % interval; the hollow square is the crude rate. "
    "Where both lie together, the cases are not the reason. Colours and shapes are those of the funnel."
)
FOREST_CAPTIONS = {
    Estimate.CRUDE: CRUDE_CAPTION,
    Estimate.SHRUNKEN: SHRUNKEN_CAPTION,
    Estimate.STANDARDISED: STANDARDISED_CAPTION,
}
