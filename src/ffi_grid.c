/* A whole grid of models: memory, the starts of each k, what each cell came to as an R list. */
#include <string.h>

#include "ffi.h"

/* list(k, starts, start, bounds); the start as for ffi_seed_kind(), the bounds for ffi_bounds(). n:
   rows given. */
static struct gm_stock read_stock(SEXP list, ptrdiff_t n, const struct gm_rows* rows,
                                  SEXP scale) {
  SEXP start = ffi_field(list, "start");
  struct gm_prior* prior = (struct gm_prior*)R_alloc(1, sizeof *prior);
  struct gm_stock stock = {
      .k = ffi_count(ffi_field(list, "k"), 1, "k"),
      .starts = ffi_count(ffi_field(list, "starts"), 1, "starts"),
      .bounds = ffi_bounds(ffi_field(list, "bounds"), scale, rows->d, prior),
      .kind = ffi_seed_kind(start)};
  if (stock.kind == GM_SEED_LABELS)
    stock.label = ffi_take_labels(ffi_labels(start, n, stock.k), rows);
  if (stock.kind == GM_SEED_MATRIX)
    stock.resp = ffi_take_resp(start, n, stock.k + (stock.bounds.noise != NULL), rows);
  if (stock.kind == GM_SEED_GIVEN)
    stock.given = ffi_start_params(start, gm_family_find("VVV"), rows->d, stock.k).prop;
  return stock;
}

static struct gm_cell read_cell(SEXP list, const struct gm_grid* grid, int d) {
  const struct gm_family* family = ffi_family(ffi_field(list, "family"));
  const int k = ffi_count(ffi_field(list, "k"), 1, "k");
  SEXP narrower = ffi_field(list, "narrower");
  struct gm_cell cell = {.family = family,
                         .k = k,
                         .wave = ffi_count(ffi_field(list, "wave"), 0, "wave"),
                         .parent = ffi_count(ffi_field(list, "parent"), 0, "parent") - 1,
                         .n_narrower = (int)Rf_xlength(narrower),
                         .penalty = ffi_number(ffi_field(list, "penalty"), "penalty"),
                         .moves = ffi_count(ffi_field(list, "moves"), 0, "moves")};
  int* at = (int*)R_alloc((size_t)cell.n_narrower + 1, sizeof *at);
  for (int i = 0; i < cell.n_narrower; i++) {
    at[i] = ffi_integers(narrower, -1, "narrower")[i] - 1;
    if (at[i] < 0 || at[i] >= grid->cells) Rf_error("internal error: no such cell");
  }
  if (cell.parent >= grid->cells) Rf_error("internal error: no such cell");
  cell.narrower = at;
  gm_params_init(&cell.params, family, d, k,
                 ffi_alloc((double)gm_params_size(family, d, k)));
  cell.verdict = (struct gm_verdict*)R_alloc(k, sizeof *cell.verdict);
  while (cell.stock < grid->stocks && grid->stock[cell.stock].k != k) cell.stock++;
  if (cell.stock == grid->stocks) Rf_error("internal error: no starts for this k");
  const int starts = grid->stock[cell.stock].starts;
  cell.records = (struct gm_record*)R_alloc(starts, sizeof *cell.records);
  memset(cell.records, 0, (size_t)starts * sizeof *cell.records);
  return cell;
}

/* The same fields as those of ffi_gmm_fit(), and the note and the certainty. */
static SEXP cell_list(const struct gm_grid* grid, const struct gm_cell* cell,
                      double weight) {
  static const char* const names[] = {"starts",  "best",        "proportions",
                                      "means",   "covariances", "total",
                                      "verdict", "note",        "certainty"};
  SEXP out = PROTECT(ffi_list(9, names));
  SET_VECTOR_ELT(out, 0, ffi_records(cell->records, grid->stock[cell->stock].starts));
  if (cell->record.state == GM_FINISHED && !cell->record.err.code) {
    SET_VECTOR_ELT(out, 1, ffi_records(&cell->record, 1));
    ffi_set_params(out, 2, &cell->params);
    SET_VECTOR_ELT(out, 5, Rf_ScalarReal(weight));
    SET_VECTOR_ELT(out, 6, ffi_verdict(cell->verdict, cell->k));
    SET_VECTOR_ELT(out, 8, Rf_ScalarReal(cell->certainty));
  }
  SET_VECTOR_ELT(out, 7, Rf_ScalarInteger(cell->note));
  UNPROTECT(1);
  return out;
}

/* The same rows, filled up, and with them the labels that are known or among the starts. */
static struct gm_rows fill_up(const struct gm_rows* rows, struct gm_stock* stock,
                              int stocks) {
  for (int s = 0; s < stocks; s++)
    if (stock[s].kind == GM_SEED_MATRIX) return *rows;
  const struct gm_rows full = ffi_fill_up(rows);
  for (int s = 0; s < stocks && full.n > rows->n; s++)
    if (stock[s].kind == GM_SEED_LABELS)
      stock[s].label = ffi_lengthen(stock[s].label, rows->n, full.n);
  return full;
}

/* The stocks for a sample of the rows, a share of their weight. */
static const struct gm_stock* thin(const struct gm_grid* grid, double share) {
  struct gm_stock* stock = (struct gm_stock*)R_alloc((size_t)grid->stocks, sizeof *stock);
  for (int i = 0; i < grid->stocks; i++) {
    stock[i] = grid->stock[i];
    stock[i].bounds = ffi_thin_bounds(&stock[i].bounds, share);
  }
  return stock;
}

static void grid_search(const struct gm_grid* grid, struct gm_seeder* seeder,
                        double weight, struct gm_error* err) {
  const struct gm_rows* rows = seeder->rows;
  const int d = rows->d;
  double* work = ffi_alloc((double)gm_grid_work(grid, rows, seeder->engine->threads, 0));
  seeder->weight = weight;
  seeder->work = ffi_alloc(
      gm_seed_work(GM_SEED_MIXED, gm_family_find("VVV"), d, 1, seeder->engine->threads));
  seeder->label = (int*)R_alloc(rows->n, sizeof(int));
  seeder->dist = ffi_alloc((double)rows->n);
  if (rows->trimming) seeder->core = ffi_alloc((double)rows->n);
  if (ffi_fill(seeder, err) ||
      gm_seed_total(seeder, ffi_alloc(gm_seed_total_size(d)), err))
    return;
  int hier = 0;
  for (int i = 0; i < grid->stocks; i++)
    hier |= grid->stock[i].kind == GM_SEED_HIER || grid->stock[i].kind == GM_SEED_MIXED;
  if (hier && ffi_grow(seeder, err)) return;
  (void)!gm_grid_search(grid, seeder, work, err);
}

/* stocks: a list for each k, ascending, see read_stock(); cells: a list of list(family, k, wave,
   parent, narrower, penalty, moves), parent and narrower counted from 1, parent 0: none. control:
   list(finalists, proposals, more, use_certainty, give_up, sample, max_iter, tol, floor, spurious (3),
   threads, progress, labels, trim, units). */
SEXP ffi_gmm_grid(SEXP x, SEXP w, SEXP scale, SEXP stocks, SEXP cells, SEXP control) {
  const struct gm_rows given = ffi_rows(x, w);
  struct gm_progress progress = {.what = "model"};
  if (Rf_xlength(stocks) < 1 || Rf_xlength(cells) < 1)
    Rf_error("internal error: nothing to fit");
  SEXP last = VECTOR_ELT(stocks, Rf_xlength(stocks) - 1);
  const int most = ffi_count(ffi_field(last, "k"), 1, "k");
  struct gm_rows rows =
      ffi_group(&given, ffi_known_labels(ffi_field(control, "labels"), given.n, most), 0);
  if (rows.n < 1) Rf_error("internal error: no rows");
  rows.trimming = ffi_trimming(control, rows.d, given.n);
  struct gm_stock* stock = (struct gm_stock*)R_alloc(Rf_xlength(stocks), sizeof *stock);
  struct gm_cell* cell = (struct gm_cell*)R_alloc(Rf_xlength(cells), sizeof *cell);
  struct gm_grid grid = {
      .cells = (int)Rf_xlength(cells),
      .stocks = (int)Rf_xlength(stocks),
      .cell = cell,
      .stock = stock,
      .finalists = ffi_count(ffi_field(control, "finalists"), 0, "finalists"),
      .proposals = ffi_count(ffi_field(control, "proposals"), 0, "proposals"),
      .more = ffi_count(ffi_field(control, "more"), 0, "more"),
      .use_certainty = ffi_count(ffi_field(control, "use_certainty"), 0, "use_certainty"),
      .give_up = ffi_count(ffi_field(control, "give_up"), 0, "give_up"),
      .scale = 1,
      .em = ffi_em_control(control),
      .spurious = ffi_spurious(control),
      .progress = &progress};
  for (int i = 0; i < grid.stocks; i++)
    stock[i] = read_stock(VECTOR_ELT(stocks, i), given.n, &rows, scale);
  for (int i = 0; i < grid.cells; i++)
    cell[i] = read_cell(VECTOR_ELT(cells, i), &grid, rows.d);
  const ptrdiff_t sample = ffi_count(ffi_field(control, "sample"), 1, "sample");

  struct ffi_watch watch = {
      .progress = &progress,
      .title = ffi_string(ffi_field(control, "progress"), "progress")};
  ffi_watch_start(&watch);
  const struct gm_engine engine = ffi_engine(ffi_field(control, "threads"), &watch);
  for (int i = 0; i < grid.stocks; i++) stock[i].bounds.engine = &engine;
  struct gm_seeder seeder = {.rows = &rows, .bounds = &stock->bounds, .engine = &engine};
  int random = 0;
  for (int i = 0; i < grid.stocks; i++)
    random |= stock[i].kind < GM_SEED_LABELS || stock[i].kind == GM_SEED_MIXED;
  if (random) seeder.key = ffi_draw_key();
  double weight = 0, weight2 = 0;
  for (ptrdiff_t i = 0; i < rows.n; i++) {
    const double one = rows.w ? rows.w[i] : 1;
    weight += one;
    weight2 += one * one;
  }

  struct gm_error err = {0};
  if (sample < rows.n) {
    struct gm_rows some;
    if (!ffi_subsample(&rows, seeder.key, &engine, sample, &some, &err)) {
      struct gm_seeder few = seeder;
      double some_weight = 0;
      for (ptrdiff_t i = 0; i < some.n; i++) some_weight += some.w[i];
      few.rows = &some;
      struct gm_grid sketch = grid;
      sketch.scale = weight / some_weight;
      sketch.stock = thin(&grid, some_weight / weight);
      few.bounds = &sketch.stock->bounds;
      grid_search(&sketch, &few, some_weight, &err);
      seeder.weight = weight;
      seeder.weight2 = weight2;
      if (!err.code)
        (void)!gm_grid_refine(
            &grid, &seeder,
            ffi_alloc((double)gm_grid_work(&grid, &rows, engine.threads, 1)), &err);
    }
  } else {
    const struct gm_rows full = fill_up(&rows, stock, grid.stocks);
    seeder.rows = &full;
    grid_search(&grid, &seeder, weight, &err);
  }
  ffi_watch_end(&watch);

  const double kept = weight * (1 - (rows.trimming ? rows.trimming->share : 0));
  SEXP out = PROTECT(Rf_allocVector(VECSXP, grid.cells));
  for (int i = 0; i < grid.cells; i++)
    SET_VECTOR_ELT(out, i, cell_list(&grid, cell + i, kept));
  UNPROTECT(2);
  return out;
}
