# Else processx, once it is loaded, keeps from package parallel that its children ended.
Sys.setenv(PROCESSX_NOTIFY_OLD_SIGCHLD = "true")

library(testthat)
library(gaussmix)

test_check("gaussmix")
