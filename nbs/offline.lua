-- What Quarto and nbdev put on a page and the course does without, and what they leave out.

-- Quarto asks a CDN for require.js and jQuery on each page whose notebook has an HTML output. Nothing here needs them.
function Meta(meta)
  local function from_cdn(blocks)
    local first = pandoc.utils.type(blocks) == "Blocks" and blocks[1]
    return first and (first.text or ""):find("cdnjs.cloudflare.com", 1, true)
  end
  local headers = pandoc.List(meta["header-includes"] or {})
  meta["header-includes"] = headers:filter(function(blocks) return not from_cdn(blocks) end)
  return meta
end

-- show_doc's "source" links look a name up in one flat list of all modules and find the wrong one. The source stands on the page.
function Para(para)
  local link = para.content[1]
  local is_source = #para.content == 1 and link.t == "Link" and (link.attributes.style or ""):find("float:right", 1, true)
  if is_source then return {} end
end

-- A short piece of code in a sentence is not broken at its spaces and hyphens: site.scss keeps it on one line.
function Code(code)
  if utf8.len(code.text) <= 24 and code.text:find("[ -]") then
    code.classes:insert("short")
    return code
  end
end

-- A comma after a formula stays on the formula's line.
function Inlines(inlines)
  for i = #inlines - 1, 1, -1 do
    local formula, mark = inlines[i], inlines[i + 1].t == "Str" and inlines[i + 1].text:match("^[,.;:?!)]+")
    if formula.t == "Math" and formula.mathtype == "InlineMath" and mark then
      inlines[i + 1].text = inlines[i + 1].text:sub(#mark + 1)
      inlines[i] = pandoc.Span({ formula, pandoc.Str(mark) }, pandoc.Attr("", { "with-mark" }))
    end
  end
  return inlines
end

-- The first figure that is a file is the page's preview on other sites; the others are fetched when they come into sight.
local has_preview = false

-- A figure hardly wider than a phone shrinks to fit there; site.scss lets the wider ones scroll, a little smaller than they are.
function Image(image)
  local file = io.open(image.src, "rb")
  local head = file and file:read(24) or ""
  if file then file:close() end
  if not head:find("^\x89PNG") then return end
  if has_preview then image.attributes.loading = "lazy" else image.classes:insert("preview-image") end
  has_preview = true
  local width, height = string.unpack(">I4I4", head, 17)
  image.attributes.width, image.attributes.height = tostring(width), tostring(height) -- its place is kept until it is there
  image.classes:insert("img-fluid") -- Quarto leaves it out where an image has a size
  if width <= 600 then image.classes:insert("narrow") end
  image.attributes.style = ("--wide: %dpx"):format(math.max(430, 0.8 * width // 1))
  return image
end

-- Each live picture brings its style and its script. On a page the first of a kind keeps them, and the others take them from it.
local styles, scripts = {}, {}

function RawBlock(raw)
  local name = raw.text:match('class="l13%-live live%-(%w+)"')
  if not name then return end
  local before, script, key, after = raw.text:match('^(.-)<script>%(%(%) => {(.*)start%("(%x+)", mount%);%s*}%)%(%);</script>(.*)$')
  local style = before:match("<style>.-</style>")
  local start = ("picture_%s(%q);"):format(name, key)
  if styles[name] == style then before = before:gsub("<style>.-</style>", "") end
  if scripts[name] ~= script then start = ("window.picture_%s = (key) => {%sstart(key, mount);\n};\n"):format(name, script) .. start end
  styles[name], scripts[name] = style, script
  raw.text = before .. "<script>" .. start .. "</script>" .. after
  return raw
end

local function lines_of(text)
  local lines = pandoc.List()
  for line in (text .. "\n"):gmatch("(.-)\n") do lines:insert(line) end
  return lines
end

local function patched_class(lines, i) -- to which fastcore's @patch adds the function of this line
  return (lines[i] .. (lines[i + 1] or "")):match("^def [%w_]+%(%s*[sc][el][ls]f?: ([%w_]+)")
end

local has_imports = false

-- A fold says what it holds: what its cell defines, else what it draws, imports or sets. A `code-summary` of the cell goes before.
local function summary_of(code)
  local defined, set, lines = pandoc.List(), pandoc.List(), lines_of(code)
  for i, line in ipairs(lines) do
    local kind, name = line:match("^(%l+) ([%w_]+)")
    local class = patched_class(lines, i)
    if kind == "def" or kind == "class" then defined:insert(class and class .. "." .. name or name) end
    local target = line:match("^([%a_][%w_.]*)[^=()]* [|+]?= ")
    if target and not set:includes(target) then set:insert(target) end
  end
  if #defined == 0 and code:find("plt.", 1, true) then return "Code of the figure" end
  if #defined == 0 and (code:find("^import ") or code:find("^from ")) then
    local summary = has_imports and "Code: more imports" or "Code: imports" -- the package's come first, then the page's own
    has_imports = true
    return summary
  end
  local names = #defined > 0 and defined or set
  return #names > 0 and "Code: `" .. table.concat(names, "`, `") .. "`" or "Code"
end

function CodeBlock(code)
  if not code.attributes["code-fold"] or code.attributes["code-summary"] then return end
  code.attributes["code-summary"] = summary_of(code.text)
  return code
end

-- show_doc loses part of a signature: `*`, the fields of a named tuple, the names of types. The cell that defines the thing stands
-- on the same page, in ruff's layout, so the Reference takes the signature from there.
local function signature(lines, first) -- of the function that begins in this line, without self or cls
  local last = first
  if lines[first]:find("%($") then repeat last = last + 1 until lines[last]:find("^%s*%)") end
  local kept = pandoc.List({ table.unpack(lines, first, last) })
  kept[1] = kept[1]:gsub("%([sc][el][ls]f?%f[^%w_][^,)]*,? ?", "(")
  kept = kept:filter(function(line) return not line:find("^%s*[sc][el][ls]f?[,:]") end)
  return #kept == 2 and pandoc.List({ kept[1] .. kept[2]:gsub("^%s*", "") }) or kept
end

local function class_signature(lines, first) -- the header of the class, its fields, its __init__
  local kept, in_docstring, i = pandoc.List({ lines[first] }), false, first + 1
  while lines[i] and (lines[i] == "" or lines[i]:find("^ ")) do
    if not in_docstring and lines[i]:find("^    def __init__%(") then kept:extend(signature(lines, i)) end
    if not in_docstring and lines[i]:find("^    [%a_][%w_]*: ") then kept:insert(lines[i]) end
    in_docstring, i = in_docstring ~= (select(2, lines[i]:gsub('"""', "")) == 1), i + 1
  end
  return kept
end

local function signatures(blocks) -- of all functions, classes and methods in the page's cells, by name
  local found = {}
  local function look(code)
    local lines, class = lines_of(code.text), nil
    for i, line in ipairs(code.classes:includes("cell-code") and lines or {}) do
      local indent, kind, name = line:match("^( *)(%l+) ([%w_]+)")
      if kind == "class" and indent == "" then
        class, found[name] = name, class_signature(lines, i)
      elseif kind == "def" and indent == "" then
        local patched = patched_class(lines, i)
        found[patched and patched .. "." .. name or name] = signature(lines, i)
      elseif kind == "def" and #indent == 4 and class then
        found[class .. "." .. name] = signature(lines, i):map(function(l) return l:sub(5) end)
      end
    end
  end
  blocks:walk({ CodeBlock = look })
  return found
end

-- Where the course's public names are explained, from nbdev's index and each module's __all__. A name that methods bear too (`backward`,
-- `step`) may mean any of them and stays as it is; nbdev's own add_links would send it, and the checker's model answers, to the wrong place.
local function entries()
  local folder = quarto.project.directory .. "/../lesson13/"
  local function read(name)
    local file = io.open(folder .. name)
    local text = file:read("a")
    file:close()
    return text
  end
  local places, methods, public = {}, {}, {}
  for module, name, page, id in read("_modidx.py"):gmatch("'lesson13%.([%w_]+)%.(%a[%w_.]*)': %(%s*'([%w_]+%.html)#([^']+)'") do
    public[module] = public[module] or read(module .. ".py"):match("__all__ = (%b[])") or ""
    if public[module]:find("'" .. name .. "'", 1, true) then places[name] = { page = page, id = id } end
    methods[name:match("%.([%w_]+)$") or ""] = true
  end
  for name in pairs(methods) do places[name] = nil end
  return places
end

-- The first mention of such a name on a page leads there, unless the page defines one of its own or PyTorch's is meant.
local function linked(blocks, defined)
  local places, own = entries(), pandoc.path.filename(PANDOC_STATE.output_file or "")
  for name, place in pairs(places) do
    if defined[name] and place.page ~= own then places[name] = nil end
  end
  local function keep(element) return element, false end
  local function link(code)
    local name = code.text:gsub("%(%)$", "")
    local place = places[name]
    if not place then return end
    places[name] = nil
    local page = place.page == own and "" or quarto.project.offset .. "/" .. place.page
    return pandoc.Link(code, page .. "#" .. place.id, "", { class = "name" }), false
  end
  local function theirs(inlines)
    for i = 3, #inlines do
      if inlines[i].t == "Code" and inlines[i - 2].text == "PyTorch’s" then inlines[i] = pandoc.Span({ inlines[i] }, { class = "theirs" }) end
    end
    return inlines
  end
  local function keep_theirs(span) if span.classes:includes("theirs") then return span, false end end
  return blocks:walk({ Inlines = theirs }):walk({ traverse = "topdown", Header = keep, Link = keep, Span = keep_theirs, Code = link })
end

function Pandoc(doc)
  local found = signatures(doc.blocks)
  doc.blocks = doc.blocks:walk({ Blocks = function(blocks)
    for i = 2, #blocks do
      local name = blocks[i - 1].t == "Header" and pandoc.utils.stringify(blocks[i - 1])
      local is_entry = name and blocks[i].t == "CodeBlock" and not blocks[i].classes:includes("cell-code")
      if is_entry and found[name] then blocks[i].text = table.concat(found[name], "\n") end
    end
    return blocks
  end })
  doc.blocks = linked(doc.blocks, found)
  return doc
end
