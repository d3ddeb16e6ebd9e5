-- After the pages are made (Quarto runs this): the search index holds each formula twice, as its signs in a row and as TeX. One line
-- that can be read takes the place of both. Pages of tools and of the exercises' declarations are left out: a search is for the
-- course. In order, what is replaced in TeX; a command that is not here loses its backslash.
local NAMES = {
  sum = "∑", cdot = "·", sigma = "σ", mu = "μ", pi = "π", ell = "ℓ", infty = "∞", to = "→", leftarrow = "←", neq = "≠", approx = "≈",
  quad = " ", qquad = " ", text = "", mathrm = "", operatorname = "", left = "", right = "", big = "", underbrace = "", boxed = "",
  hline = "", displaystyle = "",
}
local PLAIN = {
  { "\\[dt]?frac(%w)(%w)", "%1/%2" }, { "\\sqrt%s*{(.-)}", "√(%1)" }, { "\\hat%s*{?y}?", "ŷ" }, { "\\partial%s*", "∂" },
  { "\\begin{pmatrix}", "(" }, { "\\end{pmatrix}", ")" }, { "\\begin{array}%b{}", "" }, { "\\begin%b{}", "" }, { "\\end%b{}", "" },
  { "\\(%a+)", NAMES }, { "\\\\", "; " }, { "\\[,;]", " " }, { "\\", "" }, { "%^2%f[^%w.]", "²" }, { "%^{2}", "²" }, { "[{}]", "" },
  { "%s+", " " }, { " %)", ")" }, { "%( ", "(" },
}
local function part(group) return (group:find("[-+=]") or group:find("\\cdot", 1, true)) and "(" .. group .. ")" or group end -- of a fraction
local function fraction(above, below) return part(above:sub(2, -2)) .. "/" .. part(below:sub(2, -2)) end

local folder = (os.getenv("QUARTO_PROJECT_OUTPUT_DIR") or ".") .. "/"
local function read(name)
  local file = io.open(folder .. name)
  return file and file:read("a") or "[]"
end
local function formulas(page) -- a pattern for each, as the index has it, and what it shall be; the longest first
  local found, n = pandoc.List(), 0
  for formula, tex in read(page):gmatch("<math.->(.-([^<>]*)</annotation>.-)</math>") do
    local pattern = formula:gsub("<[^>]*>", ""):gsub("&amp;", "&"):gsub("%p", "%%%0")
    if pattern:find("^%w+$") then pattern = "%f[%w_.]" .. pattern .. "%f[^%w_]" end
    tex = tex:gsub("&amp;", " ")
    repeat tex, n = tex:gsub("\\[dt]?frac%s*(%b{})%s*(%b{})", fraction) until n == 0
    for _, pair in ipairs(PLAIN) do tex = tex:gsub(pair[1], pair[2]) end
    found:insert({ pattern .. "()", tex:match("^%s*(.-)%s*$") })
  end
  found:sort(function(a, b) return #a[1] > #b[1] end)
  return found
end
local entries = pandoc.List(pandoc.json.decode(read("search.json"), false)):filter(function(entry)
  return not (entry.objectID:find("^exercises/") or entry.objectID:find("^tools/"))
end)
for _, entry in ipairs(entries) do
  local text = entry.text:gsub("^Skip to the text\n", ""):gsub("^Open in Colab\n", "")
  for _, pair in ipairs(formulas(entry.objectID:match("[^#]+"))) do
    local function plain(after) return not text:find("^%.?[%a\n]", after) and pair[2] or nil end -- PyTorch's nn is not n twice
    text = text:gsub(pair[1], #pair[2] > 1 and pair[2]:gsub("%%", "%%%%") or plain)
  end
  entry.text = text
end
if #entries > 0 then io.open(folder .. "search.json", "w"):write(pandoc.json.encode(entries)) end
