# Two commands do all on a fresh machine with R and a compiler: `make demo` and `make test`.
# Both install what they lack first, into .lib in this folder (see tools/setup.R).

LIB := .lib
export R_LIBS := $(CURDIR)/$(LIB)$(if $(R_LIBS),:$(R_LIBS))

STAMP := $(LIB)/.installed
SOURCES := $(shell find DESCRIPTION NAMESPACE LICENSE R src man demo inst \
  ! -path demo ! -name '*.o' ! -name '*.so' 2>/dev/null) # demo is also the name of a target

C_FILES := $(shell find src -name '*.[ch]' 2>/dev/null)

.PHONY: help install demo test check check-hard rules lint format docs vignettes figures gallery san valgrind bench clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

$(LIB):
	@mkdir -p $(LIB)

# lintr and roxygen2 may need other versions of their helpers than the package's suggestions do.
TOOLS := $(LIB)/tools
lint docs setup-lint setup-docs: export R_LIBS := $(CURDIR)/$(TOOLS)
setup-lint setup-docs: | $(TOOLS)
$(TOOLS): | $(LIB)
	@mkdir -p $(TOOLS)

setup-%: | $(LIB)
	@Rscript tools/setup.R $*

$(STAMP): $(SOURCES) | setup-run
	@sh tools/install.sh $(LIB)
	@touch $(STAMP)

install: $(STAMP) ## install the package into .lib

demo: setup-demo $(STAMP) ## fit real and simulated data; pictures and pages into demo-output
	@Rscript tools/demo.R

test: setup-test $(STAMP) ## run the tests
	@Rscript tools/test.R

check: setup-test ## R CMD check --as-cran on the built package, with the optional checks too
	@sh tools/check.sh

check-hard: setup-run ## the same without the suggested packages
	@_R_CHECK_DEPENDS_ONLY_=true sh tools/check.sh

rules: ## the project's own rules on its sources (needs R only)
	@Rscript tools/lint-core.R
	@Rscript tools/check-init.R

lint: rules setup-lint ## rules, lintr and clang-format
	@Rscript tools/lint.R
	@clang-format --dry-run -Werror $(C_FILES)

format: ## put the C sources into the house style
	@clang-format -i $(C_FILES)

docs: setup-docs ## write man/ and NAMESPACE from the comments
	@Rscript -e 'roxygen2::roxygenise(load_code = "source")'

vignettes: setup-vignettes $(STAMP) ## build the vignettes into doc/
	@Rscript tools/vignettes.R

figures: $(STAMP) ## draw the pictures of README.md
	@Rscript tools/figures.R

gallery: $(STAMP) ## draw every picture of the package into gallery/, to be looked at
	@Rscript tools/gallery.R

san: setup-test ## the tests under AddressSanitizer and UBSan
	@sh tools/san.sh

valgrind: setup-test $(STAMP) ## the tests under valgrind (an hour or more)
	@sh tools/valgrind.sh

bench: setup-test $(STAMP) ## time the engine against other implementations, see bench/README.md
	@Rscript bench/run.R

clean: ## remove what these targets made
	rm -rf $(LIB) bench/.cache demo-output gallery doc *.Rcheck gaussmix_*.tar.gz
