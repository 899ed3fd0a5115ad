# EARS and Farrington Flexible by R's surveillance: for each line of the input one timed run, answered by its wall and CPU seconds.
#
# usage: Rscript surveillance.R FOLDER; FOLDER/days.csv and FOLDER/weeks.csv hold a row for each bin and a column for each series,
# upper bounds go to FOLDER/<name>.csv in the same form.

suppressPackageStartupMessages(library(surveillance))
folder <- commandArgs(trailingOnly = TRUE)[1]
read <- function(file, frequency) {
  sts(observed = as.matrix(read.csv(file.path(folder, file), header = FALSE)), frequency = frequency)
}
days <- read("days.csv", 365)
weeks <- read("weeks.csv", 52)

ears <- function(method) {
  function() earsC(days, control = list(method = method, minSigma = 0))
}

# The first week that four years of history and half a window of three weeks go before.
farrington <- function() {
  farringtonFlexible(weeks, control = list(
    range = (4 * 52 + 4):nrow(weeks), b = 4, w = 3, noPeriods = 10, pastWeeksNotIncluded = 26, reweight = TRUE, weightsThreshold = 2.58,
    trend = TRUE, pThresholdTrend = 0.05, alpha = 0.01, thresholdMethod = "nbPlugin", limit54 = c(5, 4), verbose = FALSE
  ))
}

runs <- list(C1 = ears("C1"), C2 = ears("C2"), C3 = ears("C3"), farrington = farrington)

input <- file("stdin", "r")
while (length(name <- readLines(input, n = 1)) > 0) {
  took <- system.time(answer <- suppressWarnings(runs[[name]]()))
  write.table(upperbound(answer), file.path(folder, paste0(name, ".csv")), sep = ",", row.names = FALSE, col.names = FALSE)
  cat(took[["elapsed"]], took[["user.self"]] + took[["sys.self"]], "\n")
  flush(stdout())
}
